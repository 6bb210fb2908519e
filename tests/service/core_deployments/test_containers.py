"""Images from registries: pulled in a step of their own, with the registry's login sealed, pinned until asked again."""

from datetime import UTC, datetime
from typing import Any

from slipway_contracts.base import uuid7
from slipway_contracts.capabilities import CONTAINER
from slipway_contracts.tasks import REPORTED, ClusterReport, Hello, TaskKind
from slipway_core import kinds
from slipway_testing.waiting import eventually

REGISTRY = {
    "name": "ours", "kind": "GENERIC_CR", "url": "https://registry.example.com",
    "config": {"username": "me", "password": "hush-registry"},
}  # fmt: skip
IMAGE = {"image_name": "acme/cache", "tag": "1.2"}


async def can(control: Any, engine: Any, *words: str) -> None:
    """The cluster's engine says what it can."""
    said = Hello(
        cluster_id=control.cluster_id, sender="engine", instance_id="engine-1", version="0.1.0",
        capabilities=list(words), public_key=engine.keys.public, at=datetime.now(UTC),
    )  # fmt: skip
    await engine.bus.publish(REPORTED, ClusterReport(hello=said), cluster_id=control.cluster_id)

    async def known() -> bool:
        async with control.app.reading() as work:
            return bool((await work.clusters.get(control.cluster_id)).capabilities == list(words))

    await eventually(known)


async def registry(control: Any) -> str:
    path = f"/organization/{control.organization_id}/containerRegistry"
    return str((await control.call("POST", path, REGISTRY, expect=201))["id"])


async def refused(control: Any, registry_id: str) -> Any:
    """What is answered to the wish for a container."""
    body = {"name": "cache", "registry_id": registry_id, **IMAGE, "healthchecks": {}}
    return await control.call("POST", f"/environment/{control.environment_id}/container", body, expect=409)


async def container(control: Any) -> str:
    id, plain = uuid7(), {**kinds.CONTAINER.defaults, "healthchecks": {}, **IMAGE}
    config = plain | {"registry_id": await registry(control)}
    stage = control.stages["CONTAINER DEFAULT"]
    async with control.app.work() as work:
        await work.services.add(
            id, control.environment_id, "CONTAINER", "cache", f"cache-{id[-8:]}", stage, config, True, None
        )
    return id


async def test_a_cluster_without_containers_refuses_them_when_they_are_created(control: Any, engine: Any) -> None:
    await can(control, engine, "local")
    registry_id = await registry(control)
    problem = await refused(control, registry_id)
    assert problem["code"] == "unsupported"
    assert "Cluster local can't run services of kind CONTAINER." in problem["detail"]
    assert problem["detail"].endswith("No cluster of this organization can.")
    async with control.app.work() as work:
        big = await work.clusters.add(uuid7(), control.organization_id, "big", "LOCAL", {})
        await work.clusters.engine_seen(big.id, "1", [CONTAINER], b"k" * 32, work.now, news=True)
    problem = await refused(control, registry_id)
    assert problem["detail"].endswith("These clusters can: big.")
    assert problem["clusters"] == ["big"]


async def test_an_image_is_pulled_with_its_registrys_login_and_stays_pinned_until_asked_again(
    control: Any, engine: Any
) -> None:
    await can(control, engine, "local", CONTAINER)
    id = await container(control)
    deploy, redeploy = (f"/container/{id}/{verb}" for verb in ("deploy", "redeploy"))
    await control.call("POST", deploy, {"image_tag": "1.2"}, expect=202)
    pull = await engine.take()
    assert (pull.task.kind, pull.task.service.image.name, pull.task.service.image.tag) == (
        TaskKind.BUILD, "acme/cache", "1.2",
    )  # fmt: skip
    login = pull.secrets().registry
    assert (login.url, login.username, login.password) == ("https://registry.example.com", "me", "hush-registry")
    assert b"hush-registry" not in pull.delivery.data
    await pull.done(artifact="pinned")
    started = await engine.take()
    assert (started.task.kind, started.task.artifact) == (TaskKind.DEPLOY, "pinned")
    assert started.secrets().registry is None
    await started.done()
    assert (await control.ended())["status"] == "DEPLOYED"
    await control.call("POST", f"/container/{id}/restart-service", expect=202)
    assert (await (await engine.take()).done()).artifact == "pinned"
    await control.ended()
    await control.call("POST", redeploy, expect=202)
    pull = await engine.take()
    assert pull.task.kind is TaskKind.BUILD
    await pull.done(artifact="pulled again")
    assert (await (await engine.take()).done()).artifact == "pulled again"
    await control.ended()
    await control.call("POST", deploy, {"image_tag": "--flag"}, expect=422)
    await control.call("POST", deploy, {"image_tag": "1.3"}, expect=202)
    assert (await engine.take()).task.service.image.tag == "1.3"
    assert (await control.call("GET", f"/container/{id}"))["tag"] == "1.3"
