"""Variables in plain text: what is visible somewhere, and what a service really gets.

A secret that can't be decrypted stops whoever needs it: there is no empty value instead.
"""

from collections.abc import Iterable

import msgspec

from slipway_contracts.places import Place
from slipway_contracts.specs import ServiceSpec
from slipway_core import built_ins
from slipway_core.app import Core, Work
from slipway_core.stores.deployments import Ground
from slipway_core.stores.variables import VariableRow
from slipway_core.variables import Effective, Variable, resolve, without
from slipway_security import DecryptionFailed
from slipway_security.keyring import DataKey


async def effective(
    app: Core, work: Work, ground: Ground, spec: ServiceSpec, *, building: bool = False
) -> list[Effective]:
    """What a service gets, resolved, for as long as it takes to seal it.

    `building`: what needs a value that is there only after a deployment is left out; put into place without it, the
    service is refused.
    """
    place = Place(
        organization_id=ground.organization_id,
        project_id=ground.project_id,
        environment_id=ground.environment_id,
        service_id=spec.id,
    )
    rows = await visible(app, work, place)
    if ground.fork_url is not None:
        rows = [emptied(row) for row in rows]
    pending = frozenset(row.key for row in rows if built_ins.is_pending(row))
    known = await plain(app, work, place, [row for row in rows if row.key not in pending])
    return resolve(without(known, pending) if building else known)


def emptied(row: VariableRow) -> VariableRow:
    """A secret without what it says: what names it goes on to work, and learns nothing."""
    if not row.is_secret:
        return row
    return msgspec.structs.replace(row, is_secret=False, value="", ciphertext=None, data_key_id=None)


async def visible(app: Core, work: Work, place: Place) -> list[VariableRow]:
    """Everything that is known at a place: built in, written there, or written around it."""
    written = await work.variables.visible(place.project_id, place.environment_id or None, place.service_id or None)
    return [*await built_in(app, work, place), *written]


async def built_in(app: Core, work: Work, place: Place) -> list[VariableRow]:
    """What Slipway itself brings."""
    project = await work.projects.get(place.project_id)
    environment = await work.environments.get(place.environment_id) if place.environment_id else None
    rows = built_ins.of_project(project) if project else []
    if environment is not None:
        services = await work.services.of_environment(environment.id)
        settings = app.settings
        rows += built_ins.of_environment(environment, services, settings.workload_domain, settings.public_url)
        accesses = await work.databases.of_environment(environment.id)
        rows += built_ins.of_databases(environment.id, services, accesses)
        rows += built_ins.of_outputs(environment.id, await work.job_outputs.of_environment(environment.id))
    return rows


async def plain(
    app: Core, work: Work, place: Place, rows: Iterable[VariableRow], *, careful: bool = True
) -> list[Variable]:
    """The variables with their secrets decrypted. `careful=False`: one that can't be is taken as empty (for checks)."""
    listed = list(rows)
    ids = {row.data_key_id for row in listed if row.data_key_id}
    try:
        keys = await app.data_keys(work, place.organization_id, ids)
    except DecryptionFailed:
        if careful:
            raise
        keys = {}
    return [_plain(row, keys, careful) for row in listed]


def _plain(row: VariableRow, keys: dict[str, DataKey], careful: bool) -> Variable:
    value = row.value or ""
    if row.ciphertext is not None and row.data_key_id is not None:
        try:
            value = keys[row.data_key_id].decrypt(row.ciphertext, row.bound_to or f"variables/{row.id}").decode()
        except (DecryptionFailed, KeyError):
            if careful:
                raise DecryptionFailed(f"The secret {row.key} can't be decrypted: set it again.", key=row.key) from None
    return Variable(
        id=row.id,
        scope=row.scope,
        key=row.key,
        value=value,
        type=row.type,
        target_key=row.target_key if row.type == "ALIAS" else None,
        is_secret=row.is_secret,
        mount_path=row.mount_path,
        interpolate=bool(row.enable_interpolation_in_file) if row.mount_path else True,
    )
