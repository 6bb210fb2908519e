"""Variables as the public API shows them. The value of a secret is in none of these."""

from typing import Any

import msgspec

from slipway_contracts.places import Place
from slipway_core.api import answers
from slipway_core.app import Work
from slipway_core.stores.services import Service
from slipway_core.stores.variables import VariableRow


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed beside a row to show it."""

    rows: dict[str, VariableRow]
    by_key: dict[str, VariableRow]
    service: Service | None


async def beside(work: Work, place: Place, rows: list[VariableRow]) -> Shown:
    """Targets are among what is visible where the variable stands."""
    service = await work.services.get(place.service_id) if place.service_id else None
    return Shown(rows={row.id: row for row in rows}, by_key={row.key: row for row in rows}, service=service)


def variable(row: VariableRow, shown: Shown) -> answers.EnvironmentVariable:
    return msgspec.convert(_fields(row, shown), answers.EnvironmentVariable)


def secret(row: VariableRow, shown: Shown) -> answers.Secret:
    fields = _fields(row, shown)
    for kind in ("overridden", "aliased"):
        if (target := fields.pop(f"{kind}_variable", None)) is not None:
            fields[f"{kind}_secret"] = target
    return msgspec.convert(fields, answers.Secret)


def either(row: VariableRow, shown: Shown) -> answers.VariableResponse:
    return msgspec.convert(_fields(row, shown) | {"is_secret": row.is_secret}, answers.VariableResponse)


def _fields(row: VariableRow, shown: Shown) -> dict[str, Any]:
    target = _target(row, shown)
    fields: dict[str, Any] = {
        "id": row.id,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "key": row.key,
        "value": None if row.is_secret else row.value,
        "mount_path": row.mount_path,
        "description": row.description,
        "scope": scope(row, shown),
        "variable_type": row.type,
        "is_secret": row.is_secret,
    }
    if row.enable_interpolation_in_file is not None:
        fields["enable_interpolation_in_file"] = row.enable_interpolation_in_file
    if row.scope == "SERVICE" and shown.service is not None:
        fields |= {
            "service_id": shown.service.id,
            "service_name": shown.service.name,
            "service_type": shown.service.kind,
        }
    if row.type == "BUILT_IN":
        fields["owned_by"] = "SLIPWAY"
    if target is not None and row.type in ("ALIAS", "OVERRIDE"):
        name = "aliased_variable" if row.type == "ALIAS" else "overridden_variable"
        fields[name] = _reference(target, shown)
        if row.type == "ALIAS" and not row.is_secret:
            fields["value"] = target.value
    if fields["value"] is None and not row.is_secret:
        fields["value"] = ""
    return fields


def _target(row: VariableRow, shown: Shown) -> VariableRow | None:
    if row.target_id is not None:
        return shown.rows.get(row.target_id)
    return shown.by_key.get(row.target_key) if row.target_key else None


def _reference(row: VariableRow, shown: Shown) -> dict[str, Any]:
    fields = {
        "id": row.id,
        "key": row.key,
        "mount_path": row.mount_path or "",
        "scope": scope(row, shown),
        "variable_type": row.type,
    }
    return fields if row.is_secret else fields | {"value": row.value or ""}


def scope(row: VariableRow, shown: Shown) -> str:
    """APIVariableScopeEnum of the reference: services say which kind they are."""
    if row.scope == "SERVICE":
        return shown.service.kind if shown.service is not None else "APPLICATION"
    return row.scope
