"""Deployments' stores on a real database, with an environment and a service to work on."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.specs import GitSource, ServiceKind, ServiceSpec
from slipway_core.app import SYSTEM, Work
from slipway_core.machine import Action, State
from slipway_core.planner import PlannedStep, Request, Wish
from slipway_core.progress import Run, Step
from slipway_postgres import Pool

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Ground:
    """Ids of what there is."""

    pool: Pool
    organization_id: str
    project_id: str
    environment_id: str
    cluster_id: str
    service_id: str

    def run(self, action: Action = Action.DEPLOY, status: State = State.DEPLOYMENT_QUEUED) -> Run:
        return Run(
            id=uuid7(),
            environment_id=self.environment_id,
            action=action,
            status=status,
            organization_id=self.organization_id,
            project_id=self.project_id,
            cluster_id=self.cluster_id,
            principal_id="ada",
            triggered_by="ada@example.com",
            origin="API",
            request=Request(action=action, wishes={self.service_id: Wish(commit="a" * 40)}),
            commits={self.service_id: "a" * 40},
            status_at=NOW,
            created_at=NOW,
            due_at=NOW,
        )

    def step(self, run: Run, kind: str = "deploy", commit: str = "a" * 40) -> tuple[Step, PlannedStep]:
        spec = ServiceSpec(
            id=self.service_id,
            kind=ServiceKind.APPLICATION,
            name="web",
            label="web",
            git=GitSource(url="https://git.example/web", branch="main", commit=commit),
        )
        step = Step(
            id=uuid7(),
            deployment_id=run.id,
            service_id=self.service_id,
            service_name="web",
            service_kind="APPLICATION",
            kind=kind,
            wave=2,
            stage="stage",
            commit=commit,
            artifact=f"built {commit[:4]}",
        )
        planned = PlannedStep(
            key=kind,
            kind=kind,
            wave=2,
            stage="stage",
            service_id=self.service_id,
            service_name="web",
            spec=spec,
            variables={"A": "row.1"},
        )
        return step, planned


@pytest.fixture
async def ground(pool_of: Callable[[str], Awaitable[Pool]]) -> Ground:
    pool = await pool_of("core")
    ids = [uuid7() for _ in range(5)]
    ground = Ground(pool, *ids)
    async with pool.acquire() as connection, connection.transaction():
        work = Work(connection, SYSTEM, NOW)
        await work.organizations.add(ground.organization_id, "acme", {})
        await work.clusters.add(ground.cluster_id, ground.organization_id, "local", "LOCAL", {})
        await work.projects.add(ground.project_id, ground.organization_id, "shop", "shop", {})
        where = (ground.environment_id, ground.project_id, ground.cluster_id)
        await work.environments.add(*where, "dev", "DEVELOPMENT", None)
        await work.stages.add_defaults(ground.environment_id)
        stage_id = await work.stages.default_for(ground.environment_id, "APPLICATION")
        service = (ground.service_id, ground.environment_id, "APPLICATION", "web", "web", stage_id)
        await work.services.add(*service, {}, True, None)
    return ground


@pytest.fixture
def work_on(ground: Ground) -> Callable[[], "object"]:
    """`async with work_on() as work`: a transaction."""

    @asynccontextmanager
    async def opened():  # type: ignore[no-untyped-def]
        async with ground.pool.acquire() as connection, connection.transaction():
            yield Work(connection, SYSTEM, NOW)

    return opened
