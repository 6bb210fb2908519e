"""What edges keep in memory is copied from the tables: rights into `access`, webhook links into `git-links`.

Also done from here because it must follow the tables for certain: every cluster has its queue of tasks, a removed one
loses it and its credentials. A row in `copies` says which key to look at; what to write is read under a lock on the
key, after all transactions that marked it, so the last state wins whoever copies.
"""

import asyncio
import base64
from typing import TypeVar

import msgspec
import structlog

from slipway_bus import LOADED, Table, create_task_consumer, delete_task_consumer
from slipway_contracts.access import ACCESS, AccessEntry
from slipway_contracts.base import Message
from slipway_contracts.git import GIT_LINKS, GitLink
from slipway_core import roles
from slipway_core.app import Core, Work
from slipway_core.stores.copies import Copy
from slipway_core.stores.git_links import GitLinkRow
from slipway_errors import Fault, Kind
from slipway_http.routing import UUID
from slipway_postgres import reading
from slipway_security import sealing

ALIVE_SECONDS = 3.0
POLL_SECONDS = 2.0
AGAIN_SECONDS = 1.0
M = TypeVar("M", bound=Message)
log = structlog.get_logger()


async def copy_loop(app: Core, woken: asyncio.Event, stopping: asyncio.Event) -> None:
    """Copy what is marked until `stopping`. `woken` is set when there may be something; without it we look anyway."""
    while not stopping.is_set():
        woken.clear()
        try:
            if await copy_waiting(app):
                continue
            pause = POLL_SECONDS
        except Fault as fault:
            log.warning("copies wait", reason=fault.detail, code=fault.code)
            pause = AGAIN_SECONDS
        await _first(woken, stopping, pause)


async def listen_loop(app: Core, woken: asyncio.Event, stopping: asyncio.Event) -> None:
    """Wake the copying when any replica has marked something."""

    def notified(*_details: object) -> None:
        woken.set()

    while not stopping.is_set():
        try:
            async with reading(app.pool) as connection:
                await connection.add_listener("copies", notified)
                try:
                    woken.set()
                    while not connection.is_closed() and not stopping.is_set():
                        await _first(stopping, stopping, POLL_SECONDS)
                finally:
                    if not connection.is_closed():
                        await connection.remove_listener("copies", notified)
        except Fault as fault:
            log.warning("copies are looked for by the clock alone", reason=fault.detail)
            await _first(stopping, stopping, AGAIN_SECONDS)


async def mark_at_start(app: Core, stopping: asyncio.Event) -> None:
    """Mark what changed while nobody was there to copy it, as soon as bus and database are there."""
    while not stopping.is_set():
        try:
            await mark_all(app)
            return
        except Fault as fault:
            log.warning("copies can't be compared yet", reason=fault.detail)
            await _first(stopping, stopping, AGAIN_SECONDS)


async def _first(woken: asyncio.Event, stopping: asyncio.Event, seconds: float) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in {woken, stopping}]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def copy_waiting(app: Core) -> int:
    """Copy everything that is marked now; how many keys."""
    async with app.reading() as work:
        waiting = await work.copies.waiting()
    done = 0
    for copy in waiting:
        done += await _tried(app, copy)
    return done


async def _tried(app: Core, copy: Copy) -> bool:
    """One key that can't be copied holds up no other; it is tried again. A bus that is away holds up all."""
    try:
        return await _copy(app, copy)
    except Fault as fault:
        if fault.kind is Kind.UNAVAILABLE:
            raise
        log.error("key can't be copied", bucket=copy.bucket, key=copy.key, reason=fault.detail)
    except Exception:
        log.exception("key can't be copied", bucket=copy.bucket, key=copy.key)
    return False


async def _copy(app: Core, copy: Copy) -> bool:
    async with app.work() as work:
        if not await work.copies.claim(copy):
            return False
        await WRITERS[copy.bucket](app, work, copy.key)
        await work.copies.done(copy)
    return True


async def _write_access(app: Core, work: Work, key: str) -> None:
    table = await app.bus.table(ACCESS)
    entry = await access_entry(work, key)
    if entry is None:
        await table.delete(key)
    else:
        await table.put(key, entry)


async def access_entry(work: Work, key: str) -> AccessEntry | None:
    """What the bucket should hold for a key; None for what is gone."""
    kind, _, id = key.partition(".")
    if kind == "key":
        pem = await work.principals.public_key(id)
        return AccessEntry(kind="key", public_key_pem=pem, at=work.now) if pem else None
    if kind == "user" and not UUID.fullmatch(id):
        return None
    held = await (work.principals.user(id) if kind == "user" else work.principals.token(id))
    if held is None:
        return None
    principal, granted = held
    return AccessEntry(
        principal_id=principal.id,
        kind=kind,
        name=principal.name,
        grants=[roles.grant(one.organization_id, one.role, one.role_config) for one in granted],
        expires_at=principal.expires_at,
        revoked_before=principal.revoked_before,
        revoked_sessions=[sid for sid, until in principal.ended_sessions.items() if until > work.now],
        version=principal.version,
        at=work.now,
    )


async def _write_link(app: Core, work: Work, key: str) -> None:
    table = await app.bus.table(GIT_LINKS)
    entry = await link_entry(app, work, key)
    if entry is None:
        await table.delete(key)
    else:
        await table.put(key, entry)


async def link_entry(app: Core, work: Work, id: str) -> GitLink | None:
    """A link with its secrets sealed for those who need them; None for one that is gone."""
    row = await work.git_links.get(id) if UUID.fullmatch(id) else None
    place = await work.git_links.place(row.service_id) if row else None
    if row is None or place is None:
        return None
    secrets = await _secrets(app, work, row)
    webhooks = base64.b64decode(app.settings.webhooks_public_key)
    built_in = row.provider == "slipway" and bool(app.settings.git_public_key)
    return GitLink(
        id=row.id,
        provider=row.provider,
        organization_id=row.organization_id,
        repository=row.repository,
        clone_url=row.clone_url,
        sealed_secrets=[sealing.seal(webhooks, secret, row.id) for secret in secrets],
        remote_sealed_secret=(
            sealing.seal(base64.b64decode(app.settings.git_public_key), secrets[0], row.id) if built_in else b""
        ),
        project_id=place.project_id,
        environment_id=place.environment_id,
        service_id=row.service_id,
    )


async def _secrets(app: Core, work: Work, row: GitLinkRow) -> list[bytes]:
    kept = [row.secret_ciphertext, *([row.previous_ciphertext] if row.previous_ciphertext else [])]
    place = (row.organization_id, row.data_key_id)
    return [await app.decrypt(work, *place, ciphertext, f"git_links/{row.id}") for ciphertext in kept]


async def _write_cluster(app: Core, work: Work, id: str) -> None:
    if await work.clusters.get(id) is not None:
        await create_task_consumer(app.bus, id)
        return
    await delete_task_consumer(app.bus, id)
    if app.accounts is not None:
        await app.accounts.revoke(id)


WRITERS = {"access": _write_access, "git-links": _write_link, "clusters": _write_cluster}


async def mark_all(app: Core) -> None:
    """Mark whatever differs between the tables and the buckets: at every start, and by command after a restore."""
    access = await app.bus.table(ACCESS)
    links = await app.bus.table(GIT_LINKS)
    there, linked = await _all(access), await _all(links)
    async with app.work() as work:
        wanted = set(await work.copies.all_access())
        gone = there.keys() - wanted - {"alive"}
        changed = [key for key in wanted if not _same(there.get(key), await access_entry(work, key))]
        await work.copies.add("access", [*gone, *changed])
        ids = {row.id: row for row in await work.git_links.all()}
        stale = [id for id, row in ids.items() if id not in linked or not _as_row(linked[id], row)]
        await work.copies.add("git-links", [*(linked.keys() - ids.keys()), *stale])
        await work.copies.add("clusters", await work.clusters.all_ids())


async def _all(table: Table[M]) -> dict[str, M]:
    found: dict[str, M] = {}
    watch = table.watch()
    try:
        async for key, value in watch:
            if key == LOADED:
                break
            if value is not None:
                found[key] = value
    finally:
        await watch.aclose()
    return found


def _same(one: AccessEntry | None, other: AccessEntry | None) -> bool:
    if one is None or other is None:
        return one is other
    return msgspec.structs.replace(one, at=None) == msgspec.structs.replace(other, at=None)


def _as_row(entry: GitLink, row: GitLinkRow) -> bool:
    return (entry.provider, entry.repository, entry.clone_url) == (row.provider, row.repository, row.clone_url)


async def alive_loop(app: Core, stopping: asyncio.Event) -> None:
    """Let edges know that they would hear of a revocation: without this heartbeat they deny."""
    table = await app.bus.table(ACCESS)
    while not stopping.is_set():
        try:
            await table.put("alive", AccessEntry(kind="alive", at=app.clock()))
            pause = ALIVE_SECONDS
        except Fault as fault:
            log.warning("heartbeat waits", reason=fault.detail)
            pause = AGAIN_SECONDS
        await _first(stopping, stopping, pause)
