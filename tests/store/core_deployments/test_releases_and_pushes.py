"""What clusters hold and what can be gone back to; deliveries that take effect once; heads of branches."""

from datetime import timedelta
from typing import Any

from slipway_contracts.base import uuid7
from slipway_contracts.git import Commit, Push
from slipway_core.machine import State
from slipway_core.stores.releases import KEPT

A, B, C = "a" * 40, "b" * 40, "c" * 40
REPOSITORY = "git.example/web"


async def release(ground: Any, work: Any, commit: str, at: Any) -> str:
    run = ground.run()
    step = ground.step(run, commit=commit)
    await work.deployments.add(run)
    await work.steps.add([step])
    await work.releases.state(ground.service_id, State.DEPLOYED, run.id, at)
    id = uuid7()
    await work.releases.put(id, ground.service_id, step[0].id, at)
    return id


async def test_what_is_in_place_and_what_is_kept(ground: Any, work_on: Any) -> None:
    async with work_on() as work:
        ids = []
        for number in range(KEPT + 3):
            ids.append(await release(ground, work, f"{number:040x}", work.now + timedelta(minutes=number)))
        kept = await work.releases.of_service(ground.service_id)
        in_place = await work.releases.in_place(ground.environment_id)
        states = await work.releases.states(ground.environment_id)
    assert [one.id for one in kept] == ids[: -KEPT - 1 : -1]
    assert in_place[ground.service_id].id == ids[-1]
    assert (states[ground.service_id].state, states[ground.service_id].running) == ("DEPLOYED", True)


async def test_what_was_in_place_at_a_time(ground: Any, work_on: Any) -> None:
    async with work_on() as work:
        first = await release(ground, work, A, work.now)
        second = await release(ground, work, B, work.now + timedelta(minutes=2))
        then = await work.releases.at(ground.environment_id, work.now + timedelta(minutes=1))
        after = await work.releases.at(ground.environment_id, work.now + timedelta(minutes=3))
        before = await work.releases.at(ground.environment_id, work.now - timedelta(minutes=1))
    assert [one[ground.service_id].id for one in (then, after)] == [first, second]
    assert before == {}


async def test_a_lost_artifact_is_forgotten_alone(ground: Any, work_on: Any) -> None:
    async with work_on() as work:
        for commit in (A, B):
            await release(ground, work, commit, work.now)
        await work.releases.forget_artifact(ground.service_id, f"built {A[:4]}")
        kept = {one.commit: one.artifact for one in await work.releases.of_service(ground.service_id)}
    assert kept == {A: "", B: f"built {B[:4]}"}


async def test_stopping_keeps_the_release(ground: Any, work_on: Any) -> None:
    async with work_on() as work:
        id = await release(ground, work, A, work.now)
        await work.releases.running(ground.service_id, False)
        state = (await work.releases.states(ground.environment_id))[ground.service_id]
    assert (state.release_id, state.running) == (id, False)


def push(ground: Any, before: str, after: str, at: Any, delivery: str = "") -> Push:
    return Push(
        link_id="l",
        delivery_id=delivery or uuid7(),
        provider="github",
        organization_id=ground.organization_id,
        repository="ada/web",
        clone_url="https://git.example/web",
        ref="refs/heads/main",
        before=before,
        after=after,
        received_at=at,
    )


async def test_a_delivery_is_accepted_once(ground: Any, work_on: Any) -> None:
    async with work_on() as work:
        one = push(ground, A, B, work.now, "d1")
        accepted = [await work.git_events.accept(one, ground.organization_id, REPOSITORY, work.now) for _ in range(3)]
    assert accepted == [True, False, False]


async def test_a_push_whose_successor_was_here_is_older_but_not_for_ever(ground: Any, work_on: Any) -> None:
    async with work_on() as work:
        later = push(ground, B, C, work.now)
        await work.git_events.accept(later, ground.organization_id, REPOSITORY, work.now)
        await work.git_events.decide(later, "deployed", "", [])
        for age, expected in ((timedelta(seconds=5), True), (timedelta(hours=2), False)):
            earlier = push(ground, A, B, work.now + age)
            assert await work.git_events.is_older(ground.organization_id, REPOSITORY, earlier) is expected
        assert not await work.git_events.is_older(uuid7(), REPOSITORY, push(ground, A, B, work.now))


async def test_heads_and_commits(ground: Any, work_on: Any) -> None:
    organization, ref = ground.organization_id, "refs/heads/main"
    async with work_on() as work:
        assert await work.git_events.head(organization, REPOSITORY, ref) == ""
        for commit in (A, B):
            await work.git_events.move_head(organization, REPOSITORY, ref, commit, work.now)
            for _ in range(2):
                await work.git_events.add_commit(organization, REPOSITORY, Commit(id=commit, message="m"), work.now)
        assert await work.git_events.heads(organization, [REPOSITORY]) == {(REPOSITORY, ref): B}
        assert set(await work.git_events.commits(organization, [A, B, C])) == {A, B}
        await work.git_events.drop_head(organization, REPOSITORY, ref)
        assert await work.git_events.heads(organization, [REPOSITORY]) == {}


async def test_a_firing_takes_effect_once(ground: Any, work_on: Any) -> None:
    async with work_on() as work:
        fired = [await work.git_events.fire("s", work.now, work.now) for _ in range(2)]
    assert fired == [True, False]
