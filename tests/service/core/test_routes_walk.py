"""Every route, asked by people who may not: the one layer of authorization, walked through from outside."""

import re
from typing import Any

import pytest

from slipway_contracts.access import Permission
from slipway_contracts.base import uuid7
from slipway_core.routes import ROUTES
from slipway_http import Route
from slipway_testing import eventually

PARAMETER = re.compile(r"\{(\w+)\}")
OPEN = (Permission.PUBLIC, Permission.SIGNED_IN)
QUERY = {
    "/api/variable": "scope=PROJECT&parent_id={projectId}",
    "/api/variable/import": "service_type=APPLICATION&service_id={applicationId}",
    # No name of an image: refused before a registry outside is asked.
    "/api/organization/{organizationId}/containerRegistry/{containerRegistryId}/images": "imageName=NONE",
}
LOGS_OUT = ("/api/logout", "/api/logoutEverywhere")
SHOWS = {"/api/environment/{environmentId}/plan": (200,)}
"""Asked by POST, though nothing changes."""
NAMES = [f"{route.method} {route.path}" for route in ROUTES]


def described(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.fixture(scope="module")
async def ground(platform: Any) -> dict[str, str]:
    """One thing of each kind in the first organization, by the name of its path parameter."""
    client, organization = platform.client(), platform.organization
    project = await platform.project()
    environment = await platform.environment(project["id"])
    one = f"/environment/{environment['id']}"
    application = await platform.application(environment["id"])
    job = (await client.post(f"{one}/job", JOB)).ok(201)
    database = (await client.post(f"{one}/database", DATABASE)).ok(201)
    registry = (await client.post(f"/organization/{organization}/containerRegistry", REGISTRY)).ok(201)
    container = (await client.post(f"{one}/container", CONTAINER | {"registry_id": registry["id"]})).ok(201)
    stages = (await client.get(f"{one}/deploymentStage")).ok()["results"]
    rule = (await client.get(f"{one}/deploymentRule")).ok()
    variable = (await client.post(f"/project/{project['id']}/environmentVariable", {"key": "A", "value": "1"})).ok(201)
    secret = (await client.post(f"/project/{project['id']}/secret", {"key": "B", "value": "2"})).ok(201)
    role = (await client.post(f"/organization/{organization}/customRole", {"name": "mine"})).ok(201)
    return {
        "organizationId": organization,
        "projectId": project["id"],
        "environmentId": environment["id"],
        "applicationId": application["id"],
        "jobId": job["id"],
        "databaseId": database["id"],
        "serviceId": application["id"],
        "clusterId": platform.made.cluster_id,
        "deploymentStageId": stages[0]["id"],
        "stageId": stages[1]["id"],
        "deploymentRuleId": rule["id"],
        "environmentVariableId": variable["id"],
        "variableId": variable["id"],
        "secretId": secret["id"],
        "customRoleId": role["id"],
        "containerId": container["id"],
        "containerRegistryId": registry["id"],
    }


DATABASE = {"name": "db", "type": "POSTGRESQL", "version": "17", "mode": "CONTAINER"}
REGISTRY = {"name": "hub", "kind": "DOCKER_HUB", "config": {}}
CONTAINER = {"name": "cache", "image_name": "redis", "tag": "8", "healthchecks": {}}
JOB = {
    "name": "job",
    "healthchecks": {},
    "source": {"docker": {"git_repository": {"url": "https://github.com/a/b.git", "provider": "GITHUB"}}},
    "schedule": {"cronjob": {"scheduled_at": "0 3 * * *"}},
}


async def ask(client: Any, route: Route, ground: dict[str, str]) -> Any:
    path = PARAMETER.sub(lambda found: ground.get(found[1], MISSING[found[1]]), route.path)
    query = QUERY.get(route.path, "").format(**ground)
    body = None if route.body is None else {}
    return await client(route.method, path.removeprefix("/api") + (f"?{query}" if query else ""), body)


class _Missing(dict[str, str]):
    def __missing__(self, name: str) -> str:
        self[name] = uuid7()
        return self[name]


MISSING = _Missing()


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
async def test_without_credentials_nothing_is_told(platform: Any, ground: dict[str, str], route: Route) -> None:
    answer = await ask(platform.anonymous(), route, ground)
    if route.needs is Permission.PUBLIC:
        assert answer.status < 500
        return
    answer.refused(401, "auth.required")
    assert set(answer.body) <= {"type", "title", "status", "detail", "code", "request_id"}


@pytest.fixture(scope="module")
async def revoked(platform: Any) -> Any:
    """A client whose token was revoked."""
    owner = platform.client()
    path = f"/organization/{platform.organization}/apiToken"
    made = (await owner.post(path, {"name": "gone", "role_id": await role_id(platform, "Owner")})).ok(201)
    client = platform.client(made["token"])
    await eventually(lambda: platform.knows(client))
    (await owner.delete(f"{path}/{made['id']}")).ok(204)

    async def forgotten() -> bool:
        return (await client.get("/organization")).status == 401

    await eventually(forgotten, timeout_seconds=2)
    return client


async def role_id(platform: Any, name: str) -> str:
    roles = (await platform.client().get(f"/organization/{platform.organization}/availableRole")).ok()["results"]
    return str(next(role["id"] for role in roles if role["name"] == name))


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
async def test_a_revoked_token_is_nobody(platform: Any, ground: dict[str, str], revoked: Any, route: Route) -> None:
    if route.needs is not Permission.PUBLIC:
        (await ask(revoked, route, ground)).refused(401)


@pytest.fixture(scope="module")
async def foreigner(platform: Any) -> Any:
    return (await platform.stranger())[0]


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
async def test_another_organizations_owner_learns_nothing(
    platform: Any, ground: dict[str, str], foreigner: Any, route: Route
) -> None:
    if route.path in LOGS_OUT:
        return
    answer = await ask(foreigner, route, ground)
    if route.of is None:
        for id in ground.values():
            assert id not in str(answer.body)
        return
    there = answer.refused(404, "not_found")
    unknown = {name: uuid7() for name in ground}
    nowhere = (await ask(foreigner, route, unknown)).refused(404, "not_found")
    assert {**there, "request_id": ""} == {**nowhere, "request_id": ""}


@pytest.fixture(scope="module")
async def viewer(platform: Any) -> Any:
    return (await platform.person("viewer"))[0]


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
async def test_a_viewer_sees_and_changes_nothing(
    platform: Any, ground: dict[str, str], viewer: Any, route: Route
) -> None:
    if route.path in LOGS_OUT:
        return
    answer = await ask(viewer, route, ground)
    if route.needs in OPEN:
        assert answer.status != 500
    elif route.needs is Permission.READ and route.method == "GET":
        # A part that this organization doesn't have, or a query that isn't given.
        expected = (200, 404, 422) if missing(route, ground) else (200,)
        assert answer.status in expected, answer.body
    elif route.needs is Permission.READ:
        assert answer.status in SHOWS.get(route.path, (403, 422)), answer.body
    elif missing_place(route, ground):
        answer.refused(404)
    else:
        answer.refused(403, "auth.forbidden")


def missing(route: Route, ground: dict[str, str]) -> bool:
    parts = set(PARAMETER.findall(route.path))
    return "deploymentRuleId" in parts or bool(parts - ground.keys()) or route.query is not None


def missing_place(route: Route, ground: dict[str, str]) -> bool:
    return route.place_param not in ground


@pytest.mark.parametrize("route", [route for route in ROUTES if route.of], ids=[described(r) for r in ROUTES if r.of])
async def test_what_is_no_id_is_no_thing(platform: Any, route: Route) -> None:
    path = PARAMETER.sub("not-an-id", route.path).removeprefix("/api")
    (await platform.client()(route.method, path, None if route.body is None else {})).refused(404)
