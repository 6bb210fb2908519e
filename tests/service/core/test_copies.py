"""What edges keep in memory: it follows the tables, also after it was lost, and tells that it is alive."""

from datetime import UTC, datetime, timedelta
from typing import Any

from slipway_contracts.access import ACCESS, AccessEntry
from slipway_contracts.git import GIT_LINKS, GitLink
from slipway_contracts.places import LOCATE, Locate, Place
from slipway_core.handlers.copying import mark_all
from slipway_testing import eventually


async def test_edges_hear_that_core_is_alive(platform: Any) -> None:
    table = await platform.app.bus.table(ACCESS)

    async def beat() -> Any:
        entry = await table.get("alive")
        return entry and entry.at > datetime.now(UTC) - timedelta(seconds=6) and entry

    first = await eventually(beat)

    async def later() -> bool:
        return bool((await table.get("alive")).at > first.at)

    await eventually(later)


async def test_what_was_lost_or_forged_in_the_bucket_is_put_right(platform: Any) -> None:
    _, id = await platform.person("admin")
    application = await platform.application()
    link_id = (await platform.client().get(f"/service/{application['id']}/gitLink")).ok()["id"]
    access, links = await platform.app.bus.table(ACCESS), await platform.app.bus.table(GIT_LINKS)
    await eventually(lambda: links.get(link_id))
    good = await access.get(f"user.{id}")
    await access.delete(f"user.{id}")
    await access.put("user.forged", AccessEntry(principal_id="forged", grants=good.grants))
    await links.delete(link_id)
    await links.put("forged", GitLink(id="forged", provider="slipway", organization_id="x", repository="a/b"))
    await mark_all(platform.app)

    async def right() -> bool:
        entry = await access.get(f"user.{id}")
        return bool(
            entry is not None
            and entry.grants == good.grants
            and await access.get("user.forged") is None
            and await links.get(link_id) is not None
            and await links.get("forged") is None
        )

    await eventually(right)


async def test_nothing_is_copied_again_without_a_reason(platform: Any) -> None:
    async with platform.app.reading() as work:
        await eventually(lambda: idle(work))
    before = await sequence(platform)
    await mark_all(platform.app)
    async with platform.app.reading() as work:
        assert [copy for copy in await work.copies.waiting() if copy.bucket != "clusters"] == []
    assert await sequence(platform) == before


async def idle(work: Any) -> bool:
    return not await work.copies.waiting()


async def sequence(platform: Any) -> int:
    info = await platform.app.bus.api("STREAM.INFO.KV_git-links")
    return int(info["state"]["last_seq"])


async def test_edges_can_ask_where_a_thing_stands(platform: Any) -> None:
    project = await platform.project()
    environment = await platform.environment(project["id"], mode="STAGING")
    application = await platform.application(environment["id"])
    expected = {
        "organization": {"organization_id": platform.organization},
        "project": {"project_id": project["id"]},
        "environment": {"environment_id": environment["id"], "mode": "STAGING"},
        "service": {"service_id": application["id"], "environment_id": environment["id"], "name": "web"},
        "application": {"service_id": application["id"]},
        "cluster": {"cluster_id": platform.made.cluster_id},
    }
    ids = {
        "organization": platform.organization,
        "project": project["id"],
        "environment": environment["id"],
        "service": application["id"],
        "application": application["id"],
        "cluster": platform.made.cluster_id,
    }
    async with platform.nats.bus_as("websocket") as bus:
        for kind, fields in expected.items():
            place = await bus.request(LOCATE, Locate(kind=kind, id=ids[kind]), Place)
            assert place.found
            assert place.organization_id == platform.organization
            assert {name: getattr(place, name) for name in fields} == fields
        for kind, id in (("container", application["id"]), ("service", project["id"]), ("nonsense", "x"), ("", "")):
            assert not (await bus.request(LOCATE, Locate(kind=kind, id=id), Place)).found
