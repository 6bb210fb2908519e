"""Keys change while people write and read: nothing is lost, nothing is unreadable, and the old keys go."""

import asyncio
from typing import Any

import pytest

from slipway_contracts.places import Place
from slipway_core.handlers import rotation
from slipway_core.handlers.effective import plain, visible
from slipway_core.stores.rotations import PARTS
from slipway_security import DecryptionFailed

REFERENCES = """
    SELECT c.conrelid::regclass::text AS table, a.attname AS column FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
    WHERE c.confrelid = 'data_keys'::regclass AND c.contype = 'f'
"""
ROWS = 60


@pytest.fixture
async def place(platform: Any) -> Place:
    environment = await platform.environment()
    return Place(
        organization_id=platform.organization, project_id=environment["project"]["id"], environment_id=environment["id"]
    )


async def secrets_of(platform: Any, place: Place) -> dict[str, str]:
    async with platform.app.reading() as work:
        rows = await plain(platform.app, work, place, await visible(platform.app, work, place))
    return {one.key: one.value for one in rows if one.is_secret}


async def filled(platform: Any, place: Place, count: int = ROWS) -> dict[str, str]:
    """Secrets of an environment: key → value; and by key its id."""
    ids = {}
    for number in range(count):
        body = {"key": f"S{number}", "value": f"value {number}"}
        made = await platform.client().post(f"/environment/{place.environment_id}/secret", body)
        ids[f"S{number}"] = made.ok(201)["id"]
    return ids


async def old_rows(platform: Any) -> int:
    """Rows that still need a retired key."""
    async with platform.app.pool.acquire() as connection:
        counts = [
            await connection.fetchval(
                f"SELECT count(*) FROM {part.table} JOIN data_keys k ON k.id = {part.key_column} "  # noqa: S608
                "WHERE k.retired_at IS NOT NULL"
            )
            for part in PARTS
        ]
    return sum(counts)


async def test_no_table_is_forgotten(platform: Any) -> None:
    async with platform.app.pool.acquire() as connection:
        there = {(row["table"], row["column"]) for row in await connection.fetch(REFERENCES)}
    assert there == {(part.table, part.key_column) for part in PARTS}


async def test_data_keys_change_under_writers_and_readers(
    platform: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 3)
    ids = await filled(platform, place)
    written = {key: f"value {number}" for number, key in enumerate(ids)}
    done = asyncio.Event()
    reads = 0

    async def write(part: int) -> None:
        count = 0
        while not done.is_set():
            for key in list(ids)[part::2]:
                body = {"key": key, "value": f"{key} {count}"}
                answer = await platform.client().put(f"/environment/{place.environment_id}/secret/{ids[key]}", body)
                answer.ok()
                written[key] = body["value"]
                count += 1

    async def read() -> None:
        nonlocal reads
        while not done.is_set():
            assert len(await secrets_of(platform, place)) == ROWS
            reads += 1

    async with asyncio.TaskGroup() as group:
        for part in range(2):
            group.create_task(write(part))
        group.create_task(read())
        rotated = [await rotation.rotate_data_keys(platform.app.pool, platform.app.master_key) for _ in range(3)]
        done.set()
    assert all(one.data_keys >= 2 for one in rotated)  # the organization's and the platform's
    assert sum(one.rows for one in rotated) > ROWS
    assert reads > 3
    # What a writer put back with the key that it had read is moved by the next look.
    await rotation.move_rows(platform.app.pool, platform.app.master_key)
    assert await old_rows(platform) == 0
    assert await secrets_of(platform, place) == written


async def test_a_rotation_that_was_cut_off_is_taken_up(
    platform: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 3)
    await filled(platform, place, 30)
    before = await rotation.rotate_data_keys(platform.app.pool, platform.app.master_key)
    real, calls = rotation.Rotations.put, 0

    async def cut(self: Any, part: Any, moved: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise asyncio.CancelledError
        await real(self, part, moved)

    with monkeypatch.context() as cutting:
        cutting.setattr(rotation.Rotations, "put", cut)
        with pytest.raises(asyncio.CancelledError):
            await rotation.rotate_data_keys(platform.app.pool, platform.app.master_key)
    left = await old_rows(platform)
    assert left > 0
    assert len(await secrets_of(platform, place)) == 30
    again = await rotation.rotate_data_keys(platform.app.pool, platform.app.master_key)
    assert (again.data_keys, again.rows) == (0, left)
    assert before.data_keys
    assert await old_rows(platform) == 0
    assert (await secrets_of(platform, place))["S7"] == "value 7"


async def test_old_keys_go_when_nobody_can_need_them(platform: Any, place: Place) -> None:
    await filled(platform, place, 2)
    await rotation.rotate_data_keys(platform.app.pool, platform.app.master_key)
    async with platform.app.work() as work:
        store = rotation.Rotations(work.connection)
        assert await store.retired()
        await store.forget()
        assert await store.retired(), "who read a row a moment ago may still look for its key"
        await work.connection.execute("UPDATE data_keys SET retired_at = retired_at - interval '2 hours'")
        assert await store.forget()
        assert not await store.retired()
    assert len(await secrets_of(platform, place)) == 2


async def test_a_damaged_row_holds_up_no_other_and_keeps_its_key(platform: Any, place: Place) -> None:
    ids = await filled(platform, place, 3)
    async with platform.app.work() as work:
        damage = "UPDATE variables SET ciphertext = substr(ciphertext, 1, 20) WHERE id = $1"
        await work.connection.execute(damage, ids["S1"])
    rotated = await rotation.rotate_data_keys(platform.app.pool, platform.app.master_key)
    assert rotated.undecryptable == 1
    assert await old_rows(platform) == 1
    async with platform.app.work() as work:
        await work.connection.execute("UPDATE data_keys SET retired_at = retired_at - interval '2 hours'")
        await rotation.Rotations(work.connection).forget()
        assert len(await rotation.Rotations(work.connection).retired()) == 1
    with pytest.raises(DecryptionFailed, match="S1"):
        await secrets_of(platform, place)
    path = f"/environment/{place.environment_id}/secret/{ids['S1']}"
    (await platform.client().put(path, {"key": "S1", "value": "set again"})).ok()
    assert (await secrets_of(platform, place))["S1"] == "set again"


async def test_a_row_copied_elsewhere_does_not_decrypt(platform: Any, place: Place) -> None:
    ids = await filled(platform, place, 2)
    other, organization = await platform.stranger()
    project = (await other.post(f"/organization/{organization}/project", {"name": "theirs"})).ok()
    theirs = Place(organization_id=organization, project_id=project["id"])
    (await other.post(f"/project/{project['id']}/secret", {"key": "OWN", "value": "own"})).ok(201)
    attacks = {
        "the ciphertext of one row in another": "UPDATE variables SET ciphertext = "
        "(SELECT ciphertext FROM variables WHERE id = $1) WHERE id = $2",
        "a whole row in another organization": "UPDATE variables SET project_id = $3, environment_id = NULL "
        "WHERE id = $1 AND $2::uuid IS NOT NULL",
        "with its data key": "WITH moved AS (UPDATE variables SET project_id = $3, environment_id = NULL WHERE id = $1"
        " AND $2::uuid IS NOT NULL RETURNING data_key_id), theirs AS (UPDATE data_keys SET retired_at = now()"
        " WHERE organization_id = $4 AND retired_at IS NULL) UPDATE data_keys SET organization_id = $4,"
        " retired_at = now() WHERE id = (SELECT data_key_id FROM moved)",
    }
    for attack, statement in attacks.items():
        arguments = [ids["S0"], ids["S1"], project["id"], organization][: 2 + ("$3" in statement) + ("$4" in statement)]
        where = place if attack.startswith("the ciphertext") else theirs
        async with platform.app.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(statement, *arguments)
            work = rotation.Work(connection, rotation.SYSTEM, platform.app.clock())
            with pytest.raises(DecryptionFailed):
                await plain(platform.app, work, where, await visible(platform.app, work, where))
            await transaction.rollback()


async def test_passwords_of_databases_and_outputs_of_jobs_change_their_keys_too(platform: Any, place: Place) -> None:
    app = await platform.application(place.environment_id)
    kept = {
        f"database_accesses/{app['id']}": "INSERT INTO database_accesses (service_id, login, database_name,"
        " data_key_id, ciphertext) VALUES ($1, 'l', 'd', $2, $3)",
        f"job_outputs/{app['id']}/A/B": "INSERT INTO job_outputs (service_id, name, is_secret, data_key_id, ciphertext,"
        " updated_at) VALUES ($1, 'A/B', true, $2, $3, now())",
        f"reply_keys/{app['id']}": "INSERT INTO reply_keys (task_id, service_id, data_key_id, ciphertext)"
        " VALUES ($1, $1, $2, $3)",
    }
    async with platform.app.work() as work:
        for bound_to, statement in kept.items():
            sealed = await platform.app.encrypt(work, place.organization_id, "value", bound_to)
            await work.connection.execute(statement, app["id"], *sealed)
    rotated = await rotation.rotate_data_keys(platform.app.pool, platform.app.master_key)
    assert rotated.rows >= 3
    async with platform.app.work() as work:
        for bound_to in kept:
            read = f"SELECT data_key_id::text, ciphertext FROM {bound_to.partition('/')[0]} WHERE service_id = $1"  # noqa: S608
            row = await work.connection.fetchrow(read, app["id"])
            assert await platform.app.decrypt(work, place.organization_id, *row, bound_to) == b"value"
