"""New images: told of by a CI system, or by a registry's webhook."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.git import IMAGE_PUSHED, ImagePush
from slipway_testing.waiting import eventually

REGISTRY = {"name": "ghcr", "kind": "GITHUB_CR", "config": {}}


class Shop:
    """An environment with services of one registry's images, in an organization of its own."""

    def __init__(self, platform: Any, client: Any, organization: str) -> None:
        self.platform = platform
        self.client = client
        self.organization = organization

    async def make(self) -> None:
        cluster = {"name": "c", "kubernetes": "SELF_MANAGED", "cloud_provider": "ON_PREMISE", "region": "here"}
        base = f"/organization/{self.organization}"
        (await self.client.post(f"{base}/cluster", cluster)).ok(201)
        self.registry = (await self.client.post(f"{base}/containerRegistry", REGISTRY)).ok(201)["id"]
        project = (await self.client.post(f"{base}/project", {"name": "shop"})).ok()["id"]
        made = await self.client.post(f"/project/{project}/environment", {"name": "dev", "mode": "DEVELOPMENT"})
        self.environment = made.ok(201)["id"]

    async def container(self, name: str, **fields: Any) -> str:
        """A container of ghcr.io/acme/shop:1.0, unless said otherwise."""
        known = {"registry_id": self.registry, "image_name": "acme/shop", "tag": "1.0", "healthchecks": {}}
        path = f"/environment/{self.environment}/container"
        return str((await self.client.post(path, {"name": name} | known | fields)).ok(201)["id"])

    async def tag_of(self, id: str) -> str:
        return str((await self.client.get(f"/container/{id}")).ok()["tag"])

    async def deployments(self) -> list[dict[str, Any]]:
        return list((await self.client.get(f"/environment/{self.environment}/deployments")).ok()["results"])

    async def tell(self, kind: str = "container", *, client: Any = None, **body: str) -> Any:
        """What a CI system says after it has pushed ghcr.io/acme/shop:1.1."""
        path = f"/organization/{self.organization}/{kind}/deploy"
        return await (client or self.client).post(path, {"image_name": "acme/shop", "tag": "1.1"} | body)

    async def link(self, id: str) -> dict[str, Any]:
        return dict((await self.client.get(f"/service/{id}/gitLink")).ok())


@pytest.fixture
async def shop(platform: Any) -> Shop:
    shop = Shop(platform, *await platform.stranger())
    await shop.make()
    return shop


async def test_a_tag_is_deployed_in_every_container_that_follows_it(shop: Shop) -> None:
    mine = await shop.container("shop")
    by_hand = await shop.container("by-hand", auto_deploy=False)
    other = await shop.container("other", image_name="acme/other")
    answer = (await shop.tell()).ok(202)
    assert answer["id"] == mine
    assert [one["trigger"] for one in await shop.deployments()] == ["image"]
    assert [await shop.tag_of(id) for id in (mine, by_hand, other)] == ["1.1", "1.0", "1.0"]
    # The same again, by the image's whole name: nothing is left to do.
    assert (await shop.tell(image_name="ghcr.io/acme/shop")).ok(202)["id"] == mine
    assert len(await shop.deployments()) == 1


async def test_an_image_that_nothing_follows_is_refused_with_the_reason(shop: Shop) -> None:
    assert "No service here" in (await shop.tell()).refused(404)["detail"]
    id = await shop.container("by-hand", auto_deploy=False)
    assert (await shop.tell()).refused(409, "image.not_followed")["services"] == [id]
    viewer, _ = await shop.platform.person("viewer", shop.organization)
    (await shop.tell(client=viewer)).refused(403)
    wrong = (await shop.tell(image_name="acme shop", tag="")).refused(422)
    assert {error["path"] for error in wrong["errors"]} == {"$.image_name", "$.tag"}
    (await shop.tell("job")).refused(404)
    assert await shop.deployments() == []


async def test_a_job_of_an_image_is_deployed_by_its_own_call(shop: Shop) -> None:
    container = await shop.container("shop")
    body = {
        "name": "nightly",
        "healthchecks": {},
        "source": {"image": {"registry_id": shop.registry, "image_name": "acme/shop", "tag": "1.0"}},
        "schedule": {"cronjob": {"scheduled_at": "0 3 * * *"}},
        "auto_deploy": True,
    }
    job = (await shop.client.post(f"/environment/{shop.environment}/job", body)).ok(201)
    assert (await shop.tell("job")).ok(202)["id"] == job["id"]
    assert (await shop.client.get(f"/job/{job['id']}")).ok()["source"]["image"]["tag"] == "1.1"
    assert await shop.tag_of(container) == "1.0"


@pytest.fixture
async def publish(platform: Any, shop: Shop) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """`await publish(link, tag)`: what the webhook gateway publishes of an image."""
    async with platform.nats.bus_as("webhooks") as bus:

        async def publish(link_id: str, tag: str, delivery_id: str = "") -> None:
            push = ImagePush(
                link_id=link_id,
                delivery_id=delivery_id or uuid7(),
                provider="github",
                organization_id=shop.organization,
                image="ghcr.io/acme/shop",
                tag=tag,
                pusher="ada",
                received_at=datetime.now(UTC),
            )
            await bus.publish(IMAGE_PUSHED, push, provider=push.provider)

        yield publish


async def decided(shop: Shop, link: str, count: int) -> list[tuple[str, str]]:
    async def found() -> list[tuple[str, str]]:
        async with shop.platform.app.pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT ref, decision FROM git_deliveries WHERE link_id = $1 AND decision <> '' ORDER BY handled_at",
                link,
            )
        return [(row["ref"], row["decision"]) for row in rows] if len(rows) == count else []

    return await eventually(found)


async def test_a_registrys_webhook_deploys_newer_versions_and_moved_tags(
    shop: Shop, publish: Callable[..., Awaitable[None]]
) -> None:
    mine, moving = await shop.container("shop"), await shop.container("moving", tag="main")
    link = (await shop.link(mine))["id"]
    await publish(link, "1.1")
    assert await decided(shop, link, 1) == [("image/1.1", "deployed")]
    assert (await shop.tag_of(mine), await shop.tag_of(moving)) == ("1.1", "main")
    assert (await shop.deployments())[0]["triggered_by"] == "ada"

    await publish(link, "main", "d-1")
    assert (await decided(shop, link, 2))[1] == ("image/main", "deployed")
    made = await shop.deployments()
    assert {step["service_id"] for one in made for step in one["steps"]} >= {mine, moving}

    await publish(link, "main", "d-1")  # the same delivery once more
    await publish(link, "pr-7")
    assert (await decided(shop, link, 3))[2] == ("image/pr-7", "not_followed")
    assert len(await shop.deployments()) == len(made)
    assert await shop.tag_of(mine) == "1.1"


async def test_an_images_link_tells_where_its_registry_must_send(shop: Shop) -> None:
    link = await shop.link(await shop.container("shop"))
    assert link["provider"] == "github"
    assert link["url"].endswith(f"/hooks/github/{link['id']}")
    path = f"/organization/{shop.organization}/containerRegistry"
    hub = (await shop.client.post(path, {"name": "hub", "kind": "DOCKER_HUB", "config": {}})).ok(201)
    redis = await shop.container("redis", registry_id=hub["id"], image_name="redis", tag="8")
    secret = (await shop.client.post(f"/service/{redis}/gitLink/secret")).ok()
    assert secret["url"].endswith(f"?token={secret['secret']}")
    assert "/hooks/dockerhub/" in secret["url"]
