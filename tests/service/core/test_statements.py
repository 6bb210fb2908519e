"""The number of SQL statements of an endpoint doesn't grow with the number of rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from structlog.contextvars import get_contextvars


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that go out meanwhile."""
    seen: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("fetch", "fetchrow", "fetchval", "execute"):
            original = getattr(asyncpg.Connection, name)

            def counting(self: Any, query: str, *args: Any, original: Any = original, **kwargs: Any) -> Any:
                # Not what the loops do meanwhile, nor what the pool does to a connection that comes back.
                if get_contextvars().get("request_id") and "pg_advisory_unlock_all" not in query:
                    seen.append(query)
                return original(self, query, *args, **kwargs)

            patch.setattr(asyncpg.Connection, name, counting)
        yield seen


PATHS = (
    "/organization",
    "/organization/{organization}/project",
    "/organization/{organization}/project/stats",
    "/organization/{organization}/member",
    "/organization/{organization}/customRole",
    "/organization/{organization}/apiToken",
    "/organization/{organization}/availableRole",
    "/organization/{organization}/cluster",
    "/organization/{organization}/cluster/status",
    "/organization/{organization}/environments",
    "/organization/{organization}/services",
    "/organization/{organization}/events?pageSize=100",
    "/organization/{organization}/targets",
    "/cluster/{cluster}/environments",
    "/project/{project}/environment",
    "/project/{project}/environment/stats",
    "/project/{project}/environment/overview",
    "/project/{project}/environment/status",
    "/project/{project}/environmentVariable",
    "/project/{project}/secret",
    "/project/{project}/deploymentRule",
    "/environment/{environment}/services",
    "/environment/{environment}/statuses",
    "/environment/{environment}/statusesWithStages",
    "/environment/{environment}/application",
    "/environment/{environment}/link",
    "/environment/{environment}/deploymentStage",
    "/environment/{environment}/environmentVariable",
    "/environment/{environment}/secret",
    "/application/{application}/environmentVariable",
    "/application/{application}/secret",
)
READS = (
    "/application/{application}",
    "/environment/{environment}",
    "/project/{project}",
    "/organization/{organization}",
)


async def grow(platform: Any, ids: dict[str, str], n: int) -> None:
    client = platform.client()
    for i in range(n):
        await platform.project()
        await platform.person("viewer")
        await platform.environment(ids["project"], f"e{i}-{n}")
        await platform.application(ids["environment"], f"a{i}-{n}")
        for path in (f"/project/{ids['project']}", f"/environment/{ids['environment']}"):
            await client.post(f"{path}/environmentVariable", {"key": f"V{i}_{n}", "value": "{{QOVERY_PROJECT_ID}}"})
            await client.post(f"{path}/secret", {"key": f"S{i}_{n}", "value": "x"})
        await client.post(f"/organization/{ids['organization']}/customRole", {"name": f"r{i}-{n}"})


async def test_lists_take_the_same_number_of_statements_however_long(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await platform.project()
    environment = await platform.environment(project["id"])
    application = await platform.application(environment["id"])
    ids = {
        "organization": platform.organization,
        "cluster": platform.made.cluster_id,
        "project": project["id"],
        "environment": environment["id"],
        "application": application["id"],
    }
    await grow(platform, ids, 1)
    few = await count(platform, monkeypatch, ids)
    await grow(platform, ids, 6)
    assert await count(platform, monkeypatch, ids) == few


async def count(platform: Any, monkeypatch: pytest.MonkeyPatch, ids: dict[str, str]) -> dict[str, int]:
    client, counts = platform.client(), {}
    for path in (*PATHS, *READS):
        asked = path.format(**ids)
        (await client.get(asked)).ok()  # places are known from now on
        with counted(monkeypatch) as seen:
            (await client.get(asked)).ok()
        counts[path] = len(seen)
        assert seen
    for path in READS:
        assert counts[path] == 1, path
    return counts
