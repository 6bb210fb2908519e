"""One deployment at a time per environment, numbers without gaps, rows that come back as they went."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.tasks import StepMetric
from slipway_core.machine import State, StepState


async def test_a_deployment_comes_back_as_it_went(ground: Any, work_on: Any) -> None:
    run = ground.run()
    async with work_on() as work:
        await work.deployments.add(run)
    run.reason, run.cancel, run.status, run.started_at = "why", "safe", State.CANCELING, run.created_at
    async with work_on() as work:
        await work.deployments.save(run)
        back = await work.deployments.get(run.id)
    assert back == replace(run, changed=False)
    assert (back.number, back.version) == (1, 2)


async def test_a_step_comes_back_as_it_went(ground: Any, work_on: Any) -> None:
    run = ground.run()
    step, planned = ground.step(run)
    async with work_on() as work:
        await work.deployments.add(run)
        await work.steps.add([(step, planned)])
    step.move(StepState.READY, run.created_at)
    step.task_id, step.fence, step.delivery, step.sequence = uuid7(), 7, 2, 9
    step.metrics = [StepMetric(name="BUILD", status="SUCCESS", duration_seconds=1.5)]
    step.percent, step.details, step.ready_at = 40, "line\nline", run.created_at
    async with work_on() as work:
        await work.steps.save([step])
        (back,) = (await work.steps.of([run.id]))[run.id]
        known = await work.steps.planned(step.id)
    assert back == step
    assert (known.spec, known.variables) == (planned.spec, planned.variables)


async def test_the_database_itself_refuses_a_second_running_deployment(ground: Any, work_on: Any) -> None:
    first, second = ground.run(), ground.run()
    async with work_on() as work:
        for run in (first, second):
            await work.deployments.add(run)
        first.started_at = first.created_at
        await work.deployments.save(first)
    second.started_at = second.created_at
    with pytest.raises(asyncpg.UniqueViolationError, match="deployments_one_running"):
        async with work_on() as work:
            await work.deployments.save(second)
    first.ended_at = first.created_at
    async with work_on() as work:
        await work.deployments.save(first)
        await work.deployments.save(second)


async def test_numbers_have_no_gaps_when_many_ask_at_once(ground: Any, work_on: Any) -> None:
    async def add() -> int:
        run = ground.run()
        async with work_on() as work:
            await work.deployments.lock([ground.environment_id])
            await work.deployments.add(run)
        return int(run.number)

    assert sorted(await asyncio.gather(*(add() for _ in range(12)))) == list(range(1, 13))


async def test_the_lock_is_exclusive_and_the_clock_goes_past_it(ground: Any, work_on: Any) -> None:
    async with work_on() as holding:
        assert await holding.deployments.lock([ground.environment_id, uuid7()]) == [ground.environment_id]
        async with work_on() as other:
            assert not await other.deployments.try_lock(ground.environment_id)
    async with work_on() as other:
        assert await other.deployments.try_lock(ground.environment_id)


async def test_services_can_be_added_while_a_deployment_moves(ground: Any, work_on: Any) -> None:
    """The lock keeps out other orchestration, not those who configure."""
    async with work_on() as holding:
        await holding.deployments.lock([ground.environment_id])
        async with asyncio.timeout(5), work_on() as other:
            stage_id = await other.stages.default_for(ground.environment_id, "APPLICATION")
            service = (uuid7(), ground.environment_id, "APPLICATION", "api", "api", stage_id)
            assert await other.services.add(*service, {}, True, None)


async def test_what_is_open_comes_in_order_and_what_is_due_first(ground: Any, work_on: Any) -> None:
    runs = [ground.run() for _ in range(3)]
    async with work_on() as work:
        for run in runs:
            await work.deployments.add(run)
        runs[0].ended_at = runs[0].created_at
        runs[1].due_at = runs[1].created_at + timedelta(hours=1)
        for run in runs:
            await work.deployments.save(run)
        assert [run.id for run in await work.deployments.open(ground.environment_id)] == [runs[1].id, runs[2].id]
        assert [run.id for run in await work.deployments.waiting_of_service(ground.service_id)] == [
            runs[1].id,
            runs[2].id,
        ]
        assert await work.deployments.due(runs[0].created_at, 10) == [ground.environment_id]
        await work.deployments.postpone(runs[2].id, runs[1].due_at)
        assert await work.deployments.due(runs[0].created_at, 10) == []


async def test_fences_only_grow(ground: Any, work_on: Any) -> None:
    async def next_fence() -> int:
        async with work_on() as work:
            return int(await work.steps.next_fence(ground.service_id))

    assert sorted(await asyncio.gather(*(next_fence() for _ in range(10)))) == list(range(1, 11))
    async with work_on() as work:
        assert await work.steps.next_fence(uuid7()) is None
