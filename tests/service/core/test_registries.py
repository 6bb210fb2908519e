"""Looking into container registries: tags, pages, logins; and what is asked of nobody."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from slipway_contracts.base import uuid7
from slipway_core.outgoing import Outgoing
from slipway_core.registries import Registries, RegistryUnknown
from slipway_core.registries import Registry as Where
from slipway_testing.core import Platform, core_platform
from slipway_testing.registry import FakeRegistry, serving
from slipway_testing.servers import DatabasesForTests

IMAGES = {"acme/shop": ["1.0", "1.1", "latest"], "acme/shop-admin": ["7"], "tools/lint": ["a", "b"]}


@pytest.fixture(scope="module")
async def platform(databases: DatabasesForTests, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A core that may ask loopback, where the registry of these tests is."""
    async with core_platform(databases, tmp_path_factory.mktemp("core"), allowed_git_hosts="127.0.0.1") as running:
        yield running


@pytest.fixture
async def fake() -> AsyncIterator[FakeRegistry]:
    async with serving(FakeRegistry(images=IMAGES, user="me", password="hush-registry", page=2)) as registry:
        yield registry


async def entered(platform: Any, registry: FakeRegistry, password: str = "hush-registry") -> str:
    body: dict[str, Any] = {"name": f"n {uuid7()}", "kind": "GENERIC_CR", "url": registry.url}
    body["config"] = {"username": "me", "password": password} if password else {}
    made = await platform.client().post(f"/organization/{platform.organization}/containerRegistry", body)
    return str(made.ok(201)["id"])


async def listed(platform: Any, id: str, query: str = "") -> Any:
    return await platform.client().get(f"/organization/{platform.organization}/containerRegistry/{id}/images{query}")


async def test_tags_come_from_all_pages_with_the_registrys_login(platform: Any, fake: FakeRegistry) -> None:
    id = await entered(platform, fake)
    found = (await listed(platform, id, "?imageName=acme/shop")).ok()
    assert found == {"results": [{"image_name": "acme/shop", "versions": ["1.0", "1.1", "latest"]}]}
    assert any("scope=repository:acme/shop:pull" in one.replace("%3A", ":").replace("%2F", "/") for one in fake.asked)
    assert (await listed(platform, id, "?imageName=acme/nothing")).ok() == {"results": []}
    (await listed(platform, id, "?imageName=Acme/../Shop")).refused(422)


async def test_images_are_found_by_a_part_of_their_names(platform: Any, fake: FakeRegistry) -> None:
    id = await entered(platform, fake)
    found = (await listed(platform, id, "?search=SHOP")).ok()["results"]
    assert [(one["image_name"], one["versions"]) for one in found] == [
        ("acme/shop", ["1.0", "1.1", "latest"]),
        ("acme/shop-admin", ["7"]),
    ]
    assert len((await listed(platform, id)).ok()["results"]) == 3


async def test_a_registry_that_lists_nothing_or_lets_nobody_in_says_so(platform: Any, fake: FakeRegistry) -> None:
    fake.lists_images = False
    id = await entered(platform, fake)
    refused = (await listed(platform, id, "?search=shop")).refused(409, "registry.refuses")
    assert "name one" in refused["detail"]
    for password in ("", "wrong"):
        other = await entered(platform, fake, password)
        (await listed(platform, other, "?imageName=acme/shop")).refused(409, "registry.refuses")


async def test_an_image_is_checked_before_a_service_is_made_of_it(platform: Any, fake: FakeRegistry) -> None:
    id = await entered(platform, fake)
    environment = await platform.environment()
    path = f"/environment/{environment['id']}/checkContainerImage"
    body = {"registry_id": id, "image_name": "acme/shop", "tag": "1.1"}
    (await platform.client().post(path, body)).ok(204)
    for change, field in (
        ({"tag": "9"}, "$.tag"),
        ({"image_name": "acme/none"}, "$.image_name"),
        ({"tag": "../x"}, "$.tag"),
        ({"image_name": "A B"}, "$.image_name"),
        ({"registry_id": uuid7()}, "$.registry_id"),
    ):
        wrong = (await platform.client().post(path, body | change)).refused(422)
        assert wrong["errors"][0]["path"] == field
    assert "hush" not in str(fake.asked)


async def test_a_registry_that_is_away_is_not_taken_for_empty(platform: Any) -> None:
    async with serving(FakeRegistry(images=IMAGES)) as gone:
        id = await entered(platform, gone)
    (await listed(platform, id, "?imageName=acme/shop")).refused(503, "registry.unknown")


async def test_another_organizations_registry_is_not_asked(platform: Any, fake: FakeRegistry) -> None:
    stranger, organization = await platform.stranger()
    id = await entered(platform, fake)
    (await stranger.get(f"/organization/{organization}/containerRegistry/{id}/images")).refused(404)
    assert fake.asked == []


async def test_nothing_inside_is_asked_not_even_for_a_token(fake: FakeRegistry) -> None:
    with pytest.raises(RegistryUnknown, match="host inside"):
        await Registries(Outgoing()).tags(Where(fake.url), "acme/shop")
    assert fake.asked == []
    # A registry outside must not lead us inside either: here 127.0.0.1 is allowed, localhost is not.
    fake.realm = fake.url.replace("127.0.0.1", "localhost").replace("http:", "https:") + "/token"
    with pytest.raises(RegistryUnknown, match="localhost is a host inside"):
        await Registries(Outgoing(frozenset({"127.0.0.1"}))).tags(Where(fake.url, "me", "hush"), "acme/shop")
    fake.realm = "http://elsewhere.example.com/token"
    with pytest.raises(RegistryUnknown, match="https"):
        await Registries(Outgoing(frozenset({"127.0.0.1"}))).tags(Where(fake.url, "me", "hush"), "acme/shop")
