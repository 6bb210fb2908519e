"""Stores on a real database: constraints become faults, orders hold, claims exclude each other."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from slipway_contracts.base import uuid7
from slipway_core.app import SYSTEM, Work
from slipway_core.problems import NameTaken
from slipway_core.stores.variables import VariableRow
from slipway_postgres import Connection, Pool, transaction

PoolOf = Callable[[str], Awaitable[Pool]]
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def work_on(connection: Connection) -> Work:
    return Work(connection, SYSTEM, NOW)


class Ground:
    """An organization, a project, a cluster and an environment."""

    def __init__(self) -> None:
        self.organization, self.project, self.cluster, self.environment = uuid7(), uuid7(), uuid7(), uuid7()

    async def make(self, work: Work, slug: str = "p") -> "Ground":
        await work.organizations.add(self.organization, "o", {})
        await work.clusters.add(self.cluster, self.organization, "c", "LOCAL", {})
        await work.projects.add(self.project, self.organization, "p", slug, {})
        await work.environments.add(self.environment, self.project, self.cluster, "e", "STAGING", None)
        await work.stages.add_defaults(self.environment)
        return self

    async def service(self, work: Work, name: str, label: str) -> object:
        stage = await work.stages.default_for(self.environment, "APPLICATION")
        return await work.services.add(
            uuid7(), self.environment, "APPLICATION", name, label, stage, {"a": [1]}, True, None
        )


async def test_rows_come_back_as_they_went_in(pool_of: PoolOf) -> None:
    async with transaction(await pool_of("core")) as connection:
        work = work_on(connection)
        ground = await Ground().make(work)
        service = await ground.service(work, "web", "web")
        assert service == (await work.services.of_environment(ground.environment))[0]
        assert service.config == {"a": [1]}  # type: ignore[attr-defined]
        environment = await work.environments.sure(ground.environment)
        assert (environment.organization_id, environment.services, environment.mode) == (
            ground.organization,
            1,
            "STAGING",
        )


async def test_names_that_are_taken_say_which_field(pool_of: PoolOf) -> None:
    pool = await pool_of("core")
    async with transaction(pool) as connection:
        ground = await Ground().make(work_on(connection))
        await ground.service(work_on(connection), "Web", "web")
    for make in (
        lambda work: work.projects.add(uuid7(), ground.organization, "P", "q", {}),
        lambda work: work.clusters.add(uuid7(), ground.organization, "C", "LOCAL", {}),
        lambda work: work.environments.add(uuid7(), ground.project, ground.cluster, "E", "STAGING", None),
        lambda work: work.stages.add(uuid7(), ground.environment, "database default", ""),
        lambda work: ground.service(work, "WEB", "web-2"),
    ):
        with pytest.raises(NameTaken) as caught:
            async with transaction(pool) as connection:
                await make(work_on(connection))
        assert caught.value.facts == {"field": "name"}


async def test_a_label_that_is_taken_is_no_error_but_nothing(pool_of: PoolOf) -> None:
    async with transaction(await pool_of("core")) as connection:
        work = work_on(connection)
        ground = await Ground().make(work)
        assert await ground.service(work, "one", "web") is not None
        assert await ground.service(work, "two", "web") is None


async def test_stages_keep_an_order_without_gaps_or_doubles(pool_of: PoolOf) -> None:
    async with transaction(await pool_of("core")) as connection:
        work = work_on(connection)
        ground = await Ground().make(work)
        ids = [stage.id for stage in await work.stages.all(ground.environment)]
        await work.stages.reorder(ground.environment, ids[::-1])
        stages = await work.stages.all(ground.environment)
        assert [stage.id for stage in stages] == ids[::-1]
        assert [stage.position for stage in stages] == [1, 2, 3, 4]


def variable(ground: Ground, key: str, **fields: object) -> VariableRow:
    row = VariableRow(
        id=uuid7(),
        project_id=None,
        environment_id=ground.environment,
        service_id=None,
        key=key,
        type="VALUE",
        value="x",
        created_at=NOW,
        updated_at=NOW,
    )
    return row if not fields else type(row)(**{name: getattr(row, name) for name in row.__struct_fields__} | fields)  # type: ignore[arg-type]


async def test_a_variable_stands_in_one_scope_once(pool_of: PoolOf) -> None:
    pool = await pool_of("core")
    async with transaction(pool) as connection:
        ground = await Ground().make(work_on(connection))
        added = await work_on(connection).variables.add(variable(ground, "A"))
        await work_on(connection).variables.add(variable(ground, "A", project_id=ground.project, environment_id=None))
    with pytest.raises(NameTaken):
        async with transaction(pool) as connection:
            await work_on(connection).variables.add(variable(ground, "A"))
    async with transaction(pool) as connection:
        work = work_on(connection)
        place = await work.places.locate("variable", added.id)
        assert place is not None
        assert (place.environment_id, place.project_id, place.mode) == (ground.environment, ground.project, "STAGING")
        assert await work.variables.keys_below(ground.project, None) == {"A"}


async def test_a_service_goes_with_its_variables_whatever_they_alias(pool_of: PoolOf) -> None:
    async with transaction(await pool_of("core")) as connection:
        work = work_on(connection)
        ground = await Ground().make(work)
        service = await ground.service(work, "web", "web")
        here = {"environment_id": None, "service_id": service.id}  # type: ignore[attr-defined]
        target = await work.variables.add(variable(ground, "A", **here))
        await work.variables.add(variable(ground, "B", type="ALIAS", target_id=target.id, target_key="A", **here))
        await work.services.delete(service.id)  # type: ignore[attr-defined]
        assert await work.variables.of_environment(ground.environment) == []


async def test_only_one_copies_a_key_at_a_time(pool_of: PoolOf) -> None:
    pool = await pool_of("core")
    async with transaction(pool) as connection:
        await work_on(connection).copies.add("access", ["user.a", "user.b", "user.a"])
    async with transaction(pool) as first, transaction(pool) as second:
        mine, theirs = work_on(first), work_on(second)
        a, b = sorted(await mine.copies.waiting(), key=lambda copy: copy.key)
        assert await mine.copies.claim(a)
        assert not await theirs.copies.claim(a)
        assert await theirs.copies.claim(b)
        await mine.copies.done(a)
    async with transaction(pool) as connection:
        assert [copy.key for copy in await work_on(connection).copies.waiting()] == ["user.b"]


async def test_what_is_marked_while_it_is_copied_is_copied_again(pool_of: PoolOf) -> None:
    pool = await pool_of("core")
    async with transaction(pool) as connection:
        await work_on(connection).copies.add("access", ["user.a"])
    async with transaction(pool) as copying:
        work = work_on(copying)
        (waiting,) = await work.copies.waiting()
        assert await work.copies.claim(waiting)
        async with transaction(pool) as changing:
            await work_on(changing).copies.add("access", ["user.a"])
        await work.copies.done(waiting)
    async with transaction(pool) as connection:
        assert [copy.key for copy in await work_on(connection).copies.waiting()] == ["user.a"]


async def test_a_key_is_used_for_one_request_only(pool_of: PoolOf) -> None:
    async with transaction(await pool_of("core")) as connection:
        kept = work_on(connection).idempotency
        assert await kept.begin("user.a", "k", "one")
        assert not await kept.begin("user.a", "k", "one")
        assert await kept.begin("user.b", "k", "two")
        await kept.end("user.a", "k", b"answer")
        found = await kept.get("user.a", "k")
        assert found is not None
        assert (found.fingerprint, found.answer) == ("one", b"answer")
        await kept.forget("user.b", "k")
        assert await kept.begin("user.b", "k", "three")


async def test_ended_sessions_are_forgotten_when_they_would_have_ended_anyway(pool_of: PoolOf) -> None:
    async with transaction(await pool_of("core")) as connection:
        users = work_on(connection).users
        id = uuid7()
        await users.add(id, "a@example.com", "", {})
        await users.end_session(id, "old", datetime(2020, 1, 1, tzinfo=UTC))
        await users.end_session(id, "new", datetime(2999, 1, 1, tzinfo=UTC))
        await users.end_session(id, "newer", datetime(2999, 1, 2, tzinfo=UTC))
        user = await users.get(id)
        assert user is not None
        assert set(user.ended_sessions) == {"new", "newer"}
