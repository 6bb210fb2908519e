"""Environments with all that their statuses are made of, read in as many statements for many as for one."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from slipway_core.app import Core, Work, found
from slipway_core.handlers.situations import situations
from slipway_core.machine import Action
from slipway_core.planner import Request, Situation
from slipway_core.progress import Run
from slipway_core.stores.deployments import Ground
from slipway_core.stores.releases import ServiceState
from slipway_core.stores.services import Service
from slipway_core.stores.stages import Stage


class _Placed(Protocol):
    @property
    def environment_id(self) -> str: ...


P = TypeVar("P", bound=_Placed)


@dataclass(frozen=True)
class Picture:
    """An environment with all that its statuses are made of."""

    ground: Ground
    services: list[Service]
    stages: list[Stage]
    states: dict[str, ServiceState]
    situation: Situation
    open: list[Run]
    last: Run | None
    """The newest deployment that has begun, with its steps."""


async def picture(app: Core, work: Work, environment_id: str) -> Picture:
    return found((await pictures(app, work, [environment_id])).get(environment_id), "environment")


async def pictures(app: Core, work: Work, environment_ids: Iterable[str]) -> dict[str, Picture]:
    """environment id → its picture, for those of an organization that exist; as many statements as for one."""
    grounds = await work.deployments.grounds(environment_ids)
    if not grounds:
        return {}
    last = await work.deployments.last_started(*grounds)
    steps = await work.steps.of(run.id for run in last.values())
    for run in last.values():
        run.steps = steps.get(run.id, [])
    services = _by_environment(await work.services.of_environments(grounds))
    stages = _by_environment(await work.stages.all(*grounds))
    open_runs = _by_environment(await work.deployments.open(*grounds))
    states = await work.releases.states(*grounds)
    everything = Request(action=Action.DEPLOY, everything=True)
    found_situations = await situations(app, work, list(grounds.values()), everything)
    return {
        id: Picture(
            ground=ground,
            services=services[id],
            stages=stages[id],
            states=states,
            situation=found_situations[id],
            open=open_runs[id],
            last=last.get(id),
        )
        for id, ground in grounds.items()
    }


def _by_environment(found: Iterable[P]) -> dict[str, list[P]]:
    sorted_out: dict[str, list[P]] = defaultdict(list)
    for one in found:
        sorted_out[one.environment_id].append(one)
    return sorted_out
