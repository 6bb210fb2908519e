"""Registries, Git tokens, cloud credentials: kept, used, never shown, and never sent to another host."""

from typing import Any

import msgspec
import pytest

from slipway_contracts.base import uuid7
from slipway_core.handlers import outside

REGISTRY = {
    "kind": "GENERIC_CR",
    "url": "https://registry.example.com",
    "config": {"username": "me", "password": "hush-registry"},
}
TOKEN = {"type": "GITHUB", "token": "hush-github"}
PRIVATE = {"url": "https://github.com/acme/private.git", "provider": "GITHUB"}


def path(platform: Any, rest: str) -> str:
    return f"/organization/{platform.organization}/{rest}"


async def make(platform: Any, rest: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await platform.client().post(path(platform, rest), {"name": f"n {uuid7()}"} | body)
    return dict(answer.ok(201))


async def test_a_registry_is_used_by_containers_and_then_stays(platform: Any) -> None:
    registry = await make(platform, "containerRegistry", REGISTRY)
    assert registry["config"] == {"username": "me"}
    environment = await platform.environment()
    container = {"name": "c", "registry_id": registry["id"], "image_name": "a/b", "tag": "1", "healthchecks": {}}
    there = f"/environment/{environment['id']}/container"
    made = (await platform.client().post(there, container)).ok(201)
    assert made["registry"] == {
        "id": registry["id"],
        "name": registry["name"],
        "url": REGISTRY["url"],
        "kind": "GENERIC_CR",
    }
    assert (await platform.client().get(there)).ok()["results"][0]["registry"]["name"] == registry["name"]
    one = path(platform, f"containerRegistry/{registry['id']}")
    listed = (await platform.client().get(path(platform, "containerRegistry"))).ok()["results"]
    assert next(row for row in listed if row["id"] == registry["id"])["associated_services_count"] == 1
    users = (await platform.client().get(f"{one}/associatedServices")).ok()["results"]
    assert [(user["service_id"], user["service_type"]) for user in users] == [(made["id"], "CONTAINER")]
    assert (await platform.client().delete(one)).refused(409, "in_use")["used_by"][0]["id"] == made["id"]
    wrong = (await platform.client().post(there, container | {"name": "d", "registry_id": uuid7()})).refused(422)
    assert wrong["errors"][0]["path"] == "$.registry_id"


async def test_another_organizations_registry_is_no_registry(platform: Any) -> None:
    stranger, organization = await platform.stranger()
    theirs = (
        await stranger.post(f"/organization/{organization}/containerRegistry", {"name": "theirs", **REGISTRY})
    ).ok(201)
    environment = await platform.environment()
    container = {"name": "c", "registry_id": theirs["id"], "image_name": "a/b", "tag": "1", "healthchecks": {}}
    (await platform.client().post(f"/environment/{environment['id']}/container", container)).refused(422)
    (await platform.client().get(path(platform, f"containerRegistry/{theirs['id']}"))).refused(404)


async def test_a_git_token_goes_to_its_own_host_only(platform: Any) -> None:
    token = await make(platform, "gitToken", TOKEN)
    assert token["git_api_url"] == "https://api.github.com"
    environment = await platform.environment()
    there = f"/environment/{environment['id']}/application"
    body = {"name": "web", "healthchecks": {}, "git_repository": PRIVATE | {"git_token_id": token["id"]}}
    made = (await platform.client().post(there, body)).ok(201)
    assert made["git_repository"]["git_token_name"] == token["name"]
    async with platform.app.reading() as work:
        service = await work.services.get(made["id"])
        login = await outside.git_login(platform.app, work, platform.organization, service, PRIVATE["url"])
    assert login == ("x-access-token", "hush-github")
    for url in ("https://evil.example.com/acme/private.git", "http://github.com/acme/private.git"):
        elsewhere = body | {"name": "x", "git_repository": PRIVATE | {"url": url, "git_token_id": token["id"]}}
        wrong = (await platform.client().post(there, elsewhere)).refused(422)
        assert wrong["errors"][0]["path"] == "$.git_repository.git_token_id"
    # Nor does a token follow when its own address is changed under the service.
    one = path(platform, f"gitToken/{token['id']}")
    (await platform.client().put(one, {"name": token["name"], **TOKEN, "git_api_url": "https://git.evil.example"})).ok()
    async with platform.app.reading() as work:
        with pytest.raises(Exception, match="another host"):
            await outside.git_login(platform.app, work, platform.organization, service, PRIVATE["url"])
    (await platform.client().delete(one)).refused(409, "in_use")


async def test_a_kept_secret_is_dropped_when_it_would_go_elsewhere(platform: Any) -> None:
    registry = await make(platform, "containerRegistry", REGISTRY)
    one = path(platform, f"containerRegistry/{registry['id']}")

    async def kept() -> dict[str, str]:
        async with platform.app.reading() as work:
            row = await work.outside_accesses.get(registry["id"], platform.organization, outside.REGISTRY)
            return await outside.opened(platform.app, work, row)

    same = {"name": registry["name"], "kind": "GENERIC_CR", "url": REGISTRY["url"], "config": {"username": "you"}}
    (await platform.client().put(one, same)).ok()
    assert await kept() == {"password": "hush-registry"}
    (await platform.client().put(one, same | {"url": "https://evil.example.com"})).ok()
    assert await kept() == {}


@pytest.mark.parametrize(
    "url",
    [
        "http://registry.example.com",
        "https://127.0.0.1",
        "https://localhost:5000",
        "https://169.254.169.254/latest",
        "https://user:pass@registry.example.com",
        "registry.example.com",
        "https://[::1]",
    ],
)
async def test_addresses_inside_are_refused(platform: Any, url: str) -> None:
    answer = await platform.client().post(path(platform, "containerRegistry"), {"name": "x", **REGISTRY, "url": url})
    assert answer.refused(422)["errors"][0]["path"] == "$.url"
    answer = await platform.client().post(path(platform, "gitToken"), {"name": "x", **TOKEN, "git_api_url": url})
    assert answer.refused(422)["errors"][0]["path"] == "$.git_api_url"


CLOUDS = [
    ("aws", {"type": "AWS_STATIC", "access_key_id": "AK", "secret_access_key": "hush-aws"}, "AWS"),
    ("aws", {"type": "AWS_ROLE", "role_arn": "arn:aws:iam::1:role/x"}, "AWS_ROLE"),
    ("azure", {"azure_tenant_id": "t", "azure_subscription_id": "s"}, "AZURE"),
    ("gcp", {"gcp_credentials": "hush-gcp"}, "GCP"),
    (
        "gcp",
        {
            "credential_type": "WIF",
            "service_account_email": "a@shop.iam.gserviceaccount.com",
            "workload_identity_provider_resource": "projects/1/x",
        },
        "GCP_WORKLOAD_IDENTITY_FEDERATION",
    ),
    (
        "scaleway",
        {
            "scaleway_access_key": "SC",
            "scaleway_secret_key": "hush-scw",
            "scaleway_project_id": "p",
            "scaleway_organization_id": "o",
        },
        "SCW",
    ),
    ("onPremise", {}, "OTHER"),
]


@pytest.mark.parametrize(("cloud", "body", "object_type"), CLOUDS)
async def test_cloud_credentials_are_kept_without_being_shown(
    platform: Any, cloud: str, body: dict[str, str], object_type: str
) -> None:
    made = await make(platform, f"{cloud}/credentials", body)
    assert made["object_type"] == object_type
    one = path(platform, f"{cloud}/credentials/{made['id']}")
    assert (await platform.client().get(one)).ok() == made
    changed = (await platform.client().put(one, {"name": f"new {uuid7()}"} | body)).ok()
    assert changed["id"] == made["id"]
    every = (await platform.client().get(path(platform, "credentials"))).ok()["results"]
    assert changed in [row["credential"] for row in every]
    mine = (await platform.client().get(path(platform, f"{cloud}/credentials"))).ok()
    assert "hush" not in str([made, changed, every, mine])
    (await platform.client().delete(one)).ok(204)
    (await platform.client().get(one)).refused(404)


async def test_credentials_that_lack_something_say_what(platform: Any) -> None:
    post = platform.client().post
    wrong = (await post(path(platform, "aws/credentials"), {"name": "x", "type": "AWS_STATIC"})).refused(422)
    assert {error["path"] for error in wrong["errors"]} == {"$.access_key_id", "$.secret_access_key"}
    (await post(path(platform, "aws/credentials"), {"name": "x"})).refused(422)
    (await post(path(platform, "gcp/credentials"), {"gcp_credentials": "{}"})).refused(422)
    ecr = {"name": "x", "kind": "ECR", "url": "https://1.dkr.ecr.eu-west-3.amazonaws.com", "config": {}}
    assert (await post(path(platform, "containerRegistry"), ecr)).refused(422)["errors"][0]["path"] == "$.config.region"


async def test_nothing_of_it_is_plain_in_tables_or_news(platform: Any) -> None:
    await make(platform, "containerRegistry", REGISTRY)
    await make(platform, "gitToken", TOKEN)
    async with platform.app.pool.acquire() as connection:
        kept = [dict(row) for row in await connection.fetch("SELECT * FROM outside_accesses")]
        told = [dict(row) for row in await connection.fetch("SELECT * FROM audit_events")]
        news = [bytes(row["payload"]) for row in await connection.fetch("SELECT payload FROM outbox")]
    assert kept
    assert "hush" not in str([kept, told, news])


async def test_kinds_of_registry_say_what_they_need(platform: Any) -> None:
    kinds = {one["kind"]: one for one in (await platform.client().get("/availableContainerRegistry")).ok()["results"]}
    assert "region" in kinds["ECR"]["required_config"]
    assert msgspec.json.encode(kinds)
