"""Clusters: taken in, known by the hellos of their engines, and gone with their credentials."""

from datetime import UTC, datetime
from typing import Any

import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.tasks import REPORTED, ClusterReport, Hello
from slipway_errors import Fault
from slipway_testing import eventually

TAKEN_IN = {"region": "rack-1", "cloud_provider": "ON_PREMISE", "kubernetes": "SELF_MANAGED"}


async def take_in(platform: Any, name: str = "") -> dict[str, Any]:
    path = f"/organization/{platform.organization}/cluster"
    made = await platform.client().post(path, {"name": name or f"cluster {uuid7()[-8:]}", **TAKEN_IN})
    return dict(made.ok(201))


async def credentials(platform: Any, id: str) -> dict[str, Any]:
    return dict((await platform.client().post(f"/cluster/{id}/credentials")).ok(201))


def hello(cluster_id: str, sender: str = "engine", key: bytes = b"k" * 32, **fields: Any) -> ClusterReport:
    said = {"version": "1.0", "capabilities": ["local"], "at": datetime.now(UTC), "instance_id": "one"} | fields
    return ClusterReport(hello=Hello(cluster_id=cluster_id, sender=sender, public_key=key, **said))


async def test_a_cluster_is_what_its_engine_says(platform: Any) -> None:
    cluster = await take_in(platform)
    path = f"/organization/{platform.organization}/cluster/{cluster['id']}"
    client = platform.client()
    assert (await client.get(f"{path}/status")).ok()["status"] == "READY"
    assert (await client.get(f"{path}/isReady")).ok() == {"is_ready": False}
    missing = (await client.post(f"{path}/deploy")).refused(409, "cluster.not_connected")
    assert missing["missing"] == ["engine", "agent"]
    (await client.post(f"{path}/stop")).refused(409, "unsupported")
    login = await credentials(platform, cluster["id"])
    for sender in ("engine", "agent"):
        async with platform.nats.bus_with(login[sender]["user"], login[sender]["password"]) as bus:
            await bus.publish(REPORTED, hello(cluster["id"], sender), cluster_id=cluster["id"])

    async def there() -> bool:
        return bool((await client.post(f"{path}/deploy")).status == 201)

    await eventually(there)
    assert (await client.get(f"{path}/isReady")).ok() == {"is_ready": True}
    listed = (await client.get(f"/organization/{platform.organization}/cluster")).ok()["results"]
    mine = next(one for one in listed if one["id"] == cluster["id"])
    assert (mine["status"], mine["deployment_status"], mine["version"]) == ("DEPLOYED", "UP_TO_DATE", "1.0")
    async with platform.app.reading() as work:
        row = await work.clusters.get(cluster["id"])
    assert row.public_key == b"k" * 32
    assert row.capabilities == ["local"]


async def test_a_hello_under_another_clusters_name_changes_nothing(platform: Any) -> None:
    victim, thief = await take_in(platform), await take_in(platform)
    login = await credentials(platform, thief["id"])
    async with platform.nats.bus_with(login["engine"]["user"], login["engine"]["password"]) as bus:
        with pytest.raises(Fault):
            await bus.publish(REPORTED, hello(victim["id"]), cluster_id=victim["id"])
        await bus.publish(REPORTED, hello(victim["id"], key=b"x" * 32), cluster_id=thief["id"])
        await bus.publish(REPORTED, hello(thief["id"]), cluster_id=thief["id"])

    async def handled() -> bool:
        async with platform.app.reading() as work:
            return (await work.clusters.get(thief["id"])).public_key is not None

    await eventually(handled)
    async with platform.app.reading() as work:
        assert (await work.clusters.get(victim["id"])).public_key is None


async def test_a_key_of_another_length_is_not_taken(platform: Any) -> None:
    cluster = await take_in(platform)
    login = await credentials(platform, cluster["id"])
    async with platform.nats.bus_with(login["engine"]["user"], login["engine"]["password"]) as bus:
        await bus.publish(REPORTED, hello(cluster["id"], key=b"short"), cluster_id=cluster["id"])
        await bus.publish(REPORTED, hello(cluster["id"], "agent"), cluster_id=cluster["id"])

    async def handled() -> bool:
        async with platform.app.reading() as work:
            return (await work.clusters.get(cluster["id"])).agent_seen_at is not None

    await eventually(handled)
    async with platform.app.reading() as work:
        assert (await work.clusters.get(cluster["id"])).public_key is None


async def test_every_cluster_has_a_queue_of_tasks_and_loses_it(platform: Any) -> None:
    cluster = await take_in(platform)
    login = await credentials(platform, cluster["id"])

    async def consumers() -> list[str]:
        return list((await platform.app.bus.api("CONSUMER.NAMES.TASKS", {}))["consumers"] or [])

    async def queued() -> bool:
        return cluster["id"] in await consumers()

    await eventually(queued)
    (await platform.client().delete(f"/organization/{platform.organization}/cluster/{cluster['id']}")).ok(204)

    async def gone() -> bool:
        return cluster["id"] not in await consumers() and cluster["id"] not in platform.app.accounts.clusters()

    await eventually(gone)
    with pytest.raises(Fault):
        async with platform.nats.bus_with(login["engine"]["user"], login["engine"]["password"]):
            pass


async def test_a_cluster_that_is_used_stays(platform: Any) -> None:
    cluster = await take_in(platform)
    project = await platform.project()
    environment = await platform.environment(project["id"], "there", cluster=cluster["id"])
    path = f"/organization/{platform.organization}/cluster/{cluster['id']}"
    used = (await platform.client().delete(path)).refused(409, "in_use")
    assert [user["id"] for user in used["used_by"]] == [environment["id"]]
    placed = (await platform.client().get(f"/cluster/{cluster['id']}/environments")).ok()["results"]
    assert [one["environment_id"] for one in placed] == [environment["id"]]


async def test_clusters_of_a_cloud_are_refused_not_pretended(platform: Any) -> None:
    path = f"/organization/{platform.organization}/cluster"
    body = {"name": "eks", "region": "eu-west-3", "cloud_provider": "AWS"}
    (await platform.client().post(path, body)).refused(409, "unsupported")


async def test_a_cluster_is_not_found_under_another_organization(platform: Any) -> None:
    cluster = await take_in(platform)
    both, both_id = await platform.person("owner")
    _, organization = await platform.stranger()
    async with platform.app.work() as work:
        await work.members.put(organization, both_id, "owner")
        await work.copies.add("access", [f"user.{both_id}"])
    await eventually(lambda: platform.sees(both, organization))
    (await both.get(f"/organization/{organization}/cluster/{cluster['id']}/status")).refused(404)
    (await both.delete(f"/organization/{organization}/cluster/{cluster['id']}")).refused(404)
    (await both.get(f"/organization/{platform.organization}/cluster/{cluster['id']}/status")).ok()
