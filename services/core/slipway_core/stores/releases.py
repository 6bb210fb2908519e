"""What clusters hold: the releases of each service that can be gone back to, and which one is in place."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from slipway_contracts.specs import ServiceSpec
from slipway_core.machine import State
from slipway_core.stores import rows
from slipway_postgres import Connection

KEPT = 5
"""Releases of a service that are kept for rollback: as many as engines keep what was built of."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    service_id: str
    deployment_id: str
    commit: str
    artifact: str
    spec: ServiceSpec
    variables: dict[str, str]
    created_at: datetime


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The variables that a release ran with, encrypted, bound to the step that put it into place."""

    id: str
    """Of the release."""
    step_id: str
    snapshot: bytes
    snapshot_key_id: str
    organization_id: str


class ServiceState(msgspec.Struct, frozen=True, kw_only=True):
    """What the last deployment did to a service."""

    service_id: str
    environment_id: str
    state: str
    deployment_id: str | None
    release_id: str | None
    running: bool
    changed_at: datetime


ADD = """
    INSERT INTO releases (id, service_id, deployment_id, commit, artifact, spec, variables, created_at, step_id,
        snapshot, snapshot_key_id)
    SELECT $1, s.service_id, s.deployment_id, s.commit, s.artifact, s.spec, s.variables, $3, s.id, s.snapshot,
        s.snapshot_key_id
    FROM deployment_steps s WHERE s.id = $2
    RETURNING id
"""
PRUNE = """
    DELETE FROM releases WHERE service_id = $1 AND id NOT IN (
        SELECT id FROM releases WHERE service_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
    )
"""
IN_PLACE = """
    SELECT r.id, r.service_id, r.deployment_id, r.commit, r.artifact, r.spec, r.variables, r.created_at
    FROM service_states s JOIN releases r ON r.id = s.release_id WHERE s.environment_id = ANY($1::uuid[])
"""
MANY = """
    SELECT id, service_id, deployment_id, commit, artifact, spec, variables, created_at
    FROM releases WHERE id = ANY($1::uuid[])
"""
OF_SERVICE = """
    SELECT id, service_id, deployment_id, commit, artifact, spec, variables, created_at
    FROM releases WHERE service_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
"""
AT = """
    SELECT DISTINCT ON (r.service_id) r.id, r.service_id, r.deployment_id, r.commit, r.artifact, r.spec, r.variables,
        r.created_at
    FROM releases r JOIN services s ON s.id = r.service_id
    WHERE s.environment_id = $1 AND r.created_at <= $2 ORDER BY r.service_id, r.created_at DESC, r.id DESC
"""
SNAPSHOTS = """
    SELECT r.id, r.step_id, r.snapshot, r.snapshot_key_id, p.organization_id
    FROM releases r JOIN services s ON s.id = r.service_id JOIN environments e ON e.id = s.environment_id
        JOIN projects p ON p.id = e.project_id
    WHERE r.id = ANY($1::uuid[]) AND r.snapshot IS NOT NULL AND r.snapshot_key_id IS NOT NULL
"""
STATES = "SELECT * FROM service_states WHERE environment_id = ANY($1::uuid[])"
STATE = """
    INSERT INTO service_states (service_id, environment_id, state, deployment_id, changed_at)
    SELECT id, environment_id, $2, $3, $4 FROM services WHERE id = $1
    ON CONFLICT (service_id) DO UPDATE SET state = $2, deployment_id = $3, changed_at = $4
    WHERE (service_states.state, service_states.deployment_id) IS DISTINCT FROM ($2, $3::uuid)
"""
FORGET_ARTIFACT = "UPDATE releases SET artifact = '' WHERE service_id = $1 AND artifact = $2"
SWITCH_OFF = """
    UPDATE services SET auto_deploy = false, version = version + 1, updated_at = now()
    WHERE id = $1 AND auto_deploy RETURNING version
"""
PUT = "UPDATE service_states SET release_id = $2, running = true WHERE service_id = $1"
UNINSTALLED = "UPDATE service_states SET release_id = NULL, running = false WHERE service_id = $1"
RUNNING = "UPDATE service_states SET running = $2 WHERE service_id = $1"


def _release(record: Any) -> Release:
    fields = dict(record)
    for name in ("id", "service_id", "deployment_id"):
        fields[name] = str(fields[name])
    fields["spec"] = msgspec.json.decode(fields["spec"], type=ServiceSpec)
    fields["variables"] = msgspec.json.decode(fields["variables"], type=dict[str, str])
    return Release(**fields)


class Releases:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, release_id: str, service_id: str, step_id: str, now: datetime) -> None:
        """A deploy step succeeded: what it planned is in place now, and kept to go back to."""
        if await self._connection.fetchval(ADD, release_id, step_id, now) is not None:
            await self._connection.execute(PUT, service_id, release_id)
            await self._connection.execute(PRUNE, service_id, KEPT)

    async def forget_artifact(self, service_id: str, artifact: str) -> None:
        """The cluster has lost what was built: the next deployment of it builds again."""
        await self._connection.execute(FORGET_ARTIFACT, service_id, artifact)

    async def uninstalled(self, service_id: str) -> None:
        """Nothing of a service is in place any more; what was built for it is gone too."""
        await self._connection.execute(UNINSTALLED, service_id)

    async def running(self, service_id: str, running: bool) -> None:
        await self._connection.execute(RUNNING, service_id, running)

    async def in_place(self, *environment_ids: str) -> dict[str, Release]:
        """service id → what its cluster holds."""
        found = [_release(row) for row in await self._connection.fetch(IN_PLACE, environment_ids)]
        return {release.service_id: release for release in found}

    async def many(self, ids: Iterable[str]) -> dict[str, Release]:
        found = [_release(row) for row in await self._connection.fetch(MANY, list(ids))]
        return {release.id: release for release in found}

    async def of_service(self, service_id: str) -> list[Release]:
        """Newest first."""
        return [_release(row) for row in await self._connection.fetch(OF_SERVICE, service_id, KEPT)]

    async def at(self, environment_id: str, time: datetime) -> dict[str, Release]:
        """service id → what was in place at that time, as far as it is kept."""
        found = [_release(row) for row in await self._connection.fetch(AT, environment_id, time)]
        return {release.service_id: release for release in found}

    async def snapshots(self, ids: Iterable[str]) -> list[Snapshot]:
        """What these releases ran with, as far as it was kept."""
        return rows.many(await self._connection.fetch(SNAPSHOTS, list(ids)), Snapshot)

    async def states(self, *environment_ids: str) -> dict[str, ServiceState]:
        found = rows.many(await self._connection.fetch(STATES, environment_ids), ServiceState)
        return {state.service_id: state for state in found}

    async def state(self, service_id: str, state: State, deployment_id: str, now: datetime) -> None:
        """What the public API says of a service by its last deployment."""
        await self._connection.execute(STATE, service_id, state, deployment_id, now)

    async def switch_off_auto_deploy(self, service_id: str) -> bool:
        """Who rolls back doesn't want the next push to undo it. False: it was off."""
        return await self._connection.fetchval(SWITCH_OFF, service_id) is not None
