"""Whatever is sent, there is a clear refusal: never a 5xx, never a hang, nothing half done."""

import json
from typing import Any

import msgspec
import pytest

from slipway_contracts.base import uuid7
from slipway_core.routes import ROUTES
from slipway_http import Route

NASTY: list[Any] = [
    None,
    True,
    -1,
    10**30,
    1e308,
    "",
    "\x00",
    "a\x00b",
    "\u202egnp.exe",
    "😀" * 50,
    "x" * 70_000,
    "'; DROP TABLE users; --",
    "$(touch /tmp/x)",
    "../../etc/passwd",
    "-rf",
    "a\r\nSet-Cookie: x=1",
    [],
    {},
    [[[[[]]]]],
    {"a": {"b": {"c": {}}}},
    ["x"] * 2000,
]
WRITES = [route for route in ROUTES if route.body is not None and "/api/login" not in route.path]


@pytest.fixture(scope="module")
async def ids(platform: Any) -> dict[str, str]:
    project = await platform.project()
    environment = await platform.environment(project["id"])
    application = await platform.application(environment["id"])
    stages = (await platform.client().get(f"/environment/{environment['id']}/deploymentStage")).ok()["results"]
    rule = (await platform.client().get(f"/environment/{environment['id']}/deploymentRule")).ok()
    variable = await platform.client().post(f"/project/{project['id']}/environmentVariable", {"key": "A", "value": "1"})
    return {
        "organizationId": platform.organization,
        "projectId": project["id"],
        "environmentId": environment["id"],
        "applicationId": application["id"],
        "serviceId": application["id"],
        "clusterId": platform.made.cluster_id,
        "deploymentStageId": stages[0]["id"],
        "deploymentRuleId": rule["id"],
        "variableId": variable.ok(201)["id"],
    }


def path_of(route: Route, ids: dict[str, str]) -> str:
    path = route.path.removeprefix("/api")
    for name in route.params:
        path = path.replace(f"{{{name}}}", ids.get(name) or uuid7())
    return path


def plausible(kind: Any) -> Any:
    """A value that fits a field, as far as that is easy."""
    for guess in ("x", 1, True, str(uuid7()), "2026-01-01T00:00:00Z", [], {}):
        try:
            msgspec.convert(guess, kind)
        except msgspec.ValidationError:
            continue
        return guess
    schema = msgspec.json.schema(kind)
    return next(iter(schema.get("enum", ["x"])))


@pytest.mark.parametrize("route", WRITES, ids=[f"{route.method} {route.path}" for route in WRITES])
async def test_nasty_values_in_any_field_are_refused(platform: Any, ids: dict[str, str], route: Route) -> None:
    client, path = platform.client(), path_of(route, ids)
    fields = msgspec.structs.fields(route.body)
    right = {field.encode_name: plausible(field.type) for field in fields if field.required}
    for nasty in NASTY:
        assert (await client(route.method, path, nasty)).status < 500, str(nasty)[:40]
    for field in fields:
        for nasty in NASTY:
            answer = await client(route.method, path, right | {field.encode_name: nasty})
            assert answer.status < 500, (field.encode_name, str(nasty)[:40], answer.body)
            if answer.status == 422 and "errors" in answer.body:
                assert all(error["path"].startswith("$") for error in answer.body["errors"])


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"name": "\\ud800"}', b'{"name":' + b'"x"' * 3, b'{"name":"\\u0000"}'],
)
async def test_what_is_no_json_is_refused(platform: Any, data: bytes) -> None:
    url = f"{platform.url}/api/organization/{platform.organization}/project"
    headers = {"Authorization": platform.client().authorization, "Content-Type": "application/json"}
    async with platform.session.post(url, data=data, headers=headers) as response:
        assert response.status in (400, 422)
        assert response.content_type == "application/problem+json"


async def test_too_much_is_refused(platform: Any, ids: dict[str, str]) -> None:
    client = platform.client()
    (await client.post(f"/organization/{platform.organization}/project", {"name": "x" * 1_050_000})).refused(413)
    path = f"/application/{ids['applicationId']}/environmentVariable/import"
    lines = [{"name": f"V{n}", "value": "", "scope": "APPLICATION", "is_secret": False} for n in range(1001)]
    (await client.post(path, {"overwrite": False, "vars": lines})).refused(422)


@pytest.mark.parametrize("name", ["organization_id", "role", "cluster_id", "owner", "id_", "created_by", "__class__"])
async def test_nothing_is_set_by_guessing_its_name(platform: Any, name: str) -> None:
    path = f"/organization/{platform.organization}/project"
    body = (await platform.client().post(path, {"name": f"p {uuid7()}", name: platform.organization})).refused(422)
    assert body["errors"][0]["path"] == f"$.{name}"


@pytest.mark.parametrize(
    "name", ["a\nb", "a\tb", " a", "a ", "a\u202eb", "\ufeffa", "a\u0000", "", "x" * 129, "\u2066x\u2069", "\x7f"]
)
async def test_names_hold_nothing_invisible(platform: Any, name: str) -> None:
    path = f"/organization/{platform.organization}/project"
    (await platform.client().post(path, {"name": name})).refused(422)


async def test_names_of_all_scripts_are_welcome(platform: Any) -> None:
    path = f"/organization/{platform.organization}/project"
    for name in ("Café Müller", "日本語", "مشروع", "проект-1", "O'Neil & Söhne <b>", "; rm -rf /", "-x"):
        made = (await platform.client().post(path, {"name": name})).ok()
        assert made["name"] == name
        environment = await platform.environment(made["id"])
        application = await platform.application(environment["id"], name)
        link = (await platform.client().get(f"/application/{application['id']}/link")).ok()["results"][0]["url"]
        assert link.isascii()
        assert json.dumps(application["git_repository"]["url"]).isascii()
