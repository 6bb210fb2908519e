"""A secret goes in and never comes out: not in answers, events, audit log, logs or tables."""

import base64
from typing import Any
from urllib.parse import quote

import pytest

from slipway_testing import eventually

MARK = "s3cr3t/Canary+{{x"
FORMS = (MARK, base64.b64encode(MARK.encode()).decode(), quote(MARK, safe=""))


class Heard:
    """Everything that came back."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.texts: list[str] = []

    async def __call__(self, method: str, path: str, json: Any = None) -> Any:
        answer = await self.client(method, path, json)
        self.texts.append(f"{answer.headers} {answer.body}")
        return answer


async def test_a_secret_never_comes_out(platform: Any, capsys: pytest.CaptureFixture[str]) -> None:
    heard = Heard(platform.client())
    project = await platform.project()
    environment = await platform.environment(project["id"])
    application = await platform.application(environment["id"])
    scopes = {
        "project": f"/project/{project['id']}",
        "environment": f"/environment/{environment['id']}",
        "application": f"/application/{application['id']}",
    }
    for scope, path in scopes.items():
        key = f"KEY_{scope.upper()}"
        made = (await heard("POST", f"{path}/secret", {"key": key, "value": MARK})).ok(201)
        await heard("POST", f"{path}/secret", {"key": key, "value": MARK})  # taken
        await heard("PUT", f"{path}/secret/{made['id']}", {"key": key, "value": MARK + "2"})
        await heard("PUT", f"{path}/secret/{made['id']}", {"key": "not a key", "value": MARK})
        await heard("PUT", f"{path}/secret/{made['id']}", {"key": key, "value": MARK, "nonsense": MARK})
        await heard("POST", f"{path}/environmentVariable", {"key": f"OF_{key}", "value": f"{{{{{key}}}}}"})
        await heard("POST", f"{path}/secret/{made['id']}/alias", {"key": f"ALIAS_{key}"})
        await heard("GET", f"{path}/secret")
        await heard("GET", f"{path}/environmentVariable")
    override = await heard("GET", f"{scopes['project']}/secret")
    id = override.ok()["results"][0]["id"]
    await heard("POST", f"{scopes['application']}/secret/{id}/override", {"value": MARK})
    body = {"overwrite": True, "vars": [{"name": "I", "value": MARK, "scope": "APPLICATION", "is_secret": True}]}
    await heard("POST", f"{scopes['application']}/environmentVariable/import", body)
    there = f"parent_id={application['id']}&scope=APPLICATION"
    await heard("GET", f"/variable?{there}")
    await heard("GET", f"/organization/{platform.organization}/events?pageSize=100")

    async def told() -> bool:
        async with platform.app.pool.acquire() as connection:
            return await connection.fetchval("SELECT count(*) FROM outbox") == 0

    await eventually(told)
    for text in (*heard.texts, capsys.readouterr().out, *await kept(platform), *await tables(platform)):
        for form in FORMS:
            # Plain variables may mention a secret by its name, never by its value.
            assert form not in text


async def kept(platform: Any) -> list[str]:
    """All that the streams and buckets keep."""
    from slipway_bus.direct import read_kept

    found = []
    for stream, subject in (("EVENTS", "events.>"), ("KV_access", "$KV.access.>"), ("KV_git-links", "$KV.git-links.>")):
        async for one in read_kept(platform.app.bus, stream, subject, 0, None):
            found.append(one.data.decode(errors="replace"))
    assert found
    return found


async def tables(platform: Any) -> list[str]:
    async with platform.app.pool.acquire() as connection:
        names = [row["table_name"] for row in await connection.fetch(TABLES)]
        assert "variables" in names
        texts = []
        for name in names:
            texts += [str(dict(row)) for row in await connection.fetch(f'SELECT * FROM "{name}"')]  # noqa: S608
        return texts


TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
