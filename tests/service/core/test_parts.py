"""Clones, custom domains, restrictions, locks, and what clusters that run by themselves can be told."""

from datetime import UTC, datetime
from typing import Any

import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.git import GIT_PUSHED, Commit, Push
from slipway_contracts.live import LOGGED, LogBatch, LogLine
from slipway_core.handlers.effective import plain, visible
from slipway_core.handlers.situations import situation
from slipway_core.machine import Action
from slipway_core.planner import Request
from slipway_core.variables import resolve
from slipway_testing import eventually


async def effective(platform: Any, service_id: str) -> dict[str, str]:
    async with platform.app.reading() as work:
        place = await work.places.locate("service", service_id)
        rows = await plain(platform.app, work, place, await visible(platform.app, work, place))
        return {one.key: one.value for one in resolve(rows) if not one.key.startswith("QOVERY_")}


async def furnished(platform: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A project, an environment and an application with variables of every sort."""
    client = platform.client()
    project = await platform.project()
    environment = await platform.environment(project["id"], "one")
    application = await platform.application(environment["id"], "shop")
    outer = await client.post(f"/project/{project['id']}/environmentVariable", {"key": "OUTER", "value": "o"})
    in_environment, mine = f"/environment/{environment['id']}", f"/application/{application['id']}"
    await client.post(f"/project/{project['id']}/environmentVariable", {"key": "BASE", "value": "b"})
    await client.post(f"{in_environment}/environmentVariable", {"key": "BASED", "value": "on {{BASE}}"})
    await client.post(f"{in_environment}/secret", {"key": "PASSWORD", "value": "hush"})
    await client.post(f"{mine}/environmentVariable", {"key": "URL", "value": "{{OUTER}}:{{PASSWORD}}"})
    await client.post(f"{mine}/environmentVariable/{outer.ok(201)['id']}/alias", {"key": "ALSO"})
    await client.post(f"{mine}/environmentVariable/{outer.body['id']}/override", {"value": "over"})
    return project, environment, application


async def test_an_environment_is_cloned_with_everything_in_it(platform: Any) -> None:
    project, environment, application = await furnished(platform)
    client = platform.client()
    stages = (await client.get(f"/environment/{environment['id']}/deploymentStage")).ok()["results"]
    await client.put(f"/deploymentStage/{stages[0]['id']}", {"name": "first of all"})
    await client.put(f"/deploymentStage/{stages[0]['id']}/service/{application['id']}", {"is_skipped": True})
    answer = await client.post(f"/environment/{environment['id']}/clone", {"name": "two", "mode": "STAGING"})
    made = answer.ok(202)
    assert "hush" not in str(answer.body)
    assert (made["mode"], made["project"]["id"]) == ("STAGING", project["id"])
    (copy,) = (await client.get(f"/environment/{made['id']}/application")).ok()["results"]
    assert copy["id"] != application["id"]
    assert copy["git_repository"] == application["git_repository"]
    expected = await effective(platform, application["id"])
    assert expected == {
        "BASE": "b",
        "BASED": "on b",
        "OUTER": "over",
        "PASSWORD": "hush",
        "URL": "over:hush",
        "ALSO": "over",
    }
    assert await effective(platform, copy["id"]) == expected
    placed = (await client.get(f"/environment/{made['id']}/deploymentStage")).ok()["results"]
    assert placed[0]["name"] == "first of all"
    assert placed[0]["services"][0] | {"id": "", "service_id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "service_id": "",
        "created_at": "",
        "updated_at": "",
        "service_type": "APPLICATION",
        "is_skipped": True,
    }
    links = [
        (await client.get(f"/application/{id}/link")).ok()["results"][0]["url"]
        for id in (application["id"], copy["id"])
    ]
    assert links[0] != links[1]
    (await client.post(f"/environment/{environment['id']}/clone", {"name": "two"})).refused(409, "name.taken")


async def test_a_clone_into_another_project_needs_what_it_names_there(platform: Any) -> None:
    _, environment, _ = await furnished(platform)
    client, other = platform.client(), await platform.project()
    body = {"name": "copy", "project_id": other["id"]}
    (await client.post(f"/environment/{environment['id']}/clone", body)).refused(422, "variable.unknown")
    assert (await client.get(f"/project/{other['id']}/environment")).ok()["results"] == []
    await client.post(f"/project/{other['id']}/environmentVariable", {"key": "BASE", "value": "theirs"})
    made = (await client.post(f"/environment/{environment['id']}/clone", body)).ok(202)
    (copy,) = (await client.get(f"/environment/{made['id']}/application")).ok()["results"]
    there = await effective(platform, copy["id"])
    assert (there["BASED"], there["ALSO"]) == ("on theirs", "over")


async def test_a_clone_stays_within_the_organization_and_ones_rights(platform: Any) -> None:
    _, environment, application = await furnished(platform)
    stranger, organization = await platform.stranger()
    theirs = (await stranger.post(f"/organization/{organization}/project", {"name": "theirs"})).ok()
    both, both_id = await platform.person("owner")
    async with platform.app.work() as work:
        await work.members.put(organization, both_id, "owner")
        await work.copies.add("access", [f"user.{both_id}"])
    await eventually(lambda: platform.sees(both, organization))
    body = {"name": "x", "project_id": theirs["id"]}
    (await both.post(f"/environment/{environment['id']}/clone", body)).refused(422)
    (await platform.client().post(f"/environment/{environment['id']}/clone", body)).refused(422)
    (await stranger.post(f"/environment/{environment['id']}/clone", {"name": "x"})).refused(404)
    viewer, _ = await platform.person("viewer")
    (await viewer.post(f"/application/{application['id']}/clone", {"name": "x", "environment_id": uuid7()})).refused(
        403
    )
    body = {"name": "x", "environment_id": uuid7()}
    (await platform.client().post(f"/application/{application['id']}/clone", body)).refused(422)


async def test_a_service_is_cloned_with_its_own_variables(platform: Any) -> None:
    _, environment, application = await furnished(platform)
    client = platform.client()
    body = {"name": "shop two", "environment_id": environment["id"]}
    copy = (await client.post(f"/application/{application['id']}/clone", body)).ok(202)
    assert await effective(platform, copy["id"]) == await effective(platform, application["id"])
    (await client.post(f"/application/{application['id']}/clone", body)).refused(409, "name.taken")
    changed = (await client.put(f"/application/{copy['id']}", {"healthchecks": {}, "memory": 777})).ok()
    assert changed["git_repository"] == application["git_repository"]


async def test_a_repository_stays_with_those_who_still_follow_it(platform: Any) -> None:
    _, environment, application = await furnished(platform)
    client = platform.client()
    body = {"name": "shop two", "environment_id": environment["id"]}
    copy = (await client.post(f"/application/{application['id']}/clone", body)).ok(202)
    link = (await client.get(f"/service/{application['id']}/gitLink")).ok()
    (await client.delete(f"/application/{application['id']}")).ok(204)

    async def handed_over() -> bool:
        answer = await client.get(f"/service/{copy['id']}/gitLink")
        return bool(answer.status == 200 and answer.body["id"] == link["id"])

    await eventually(handed_over)


async def test_a_custom_domain_is_a_further_name_of_its_service(platform: Any) -> None:
    environment = await platform.environment()
    application = await platform.application(environment["id"])
    client, path = platform.client(), f"/application/{application['id']}/customDomain"
    domain = f"shop-{uuid7()[-12:]}.example.com"
    body = {"domain": domain.upper(), "generate_certificate": False}
    made = (await client.post(path, body)).ok(201)
    assert made["domain"] == domain
    async with platform.app.reading() as work:
        ground = await work.deployments.ground(environment["id"])
        request = Request(action=Action.DEPLOY, everything=True)
        (service,) = (await situation(platform.app, work, ground, request)).services
    assert service.spec.hostnames[1:] == [domain]
    other = await platform.application()
    (await client.post(f"/application/{other['id']}/customDomain", body)).refused(409, "name.taken")
    (await client.get(f"/application/{other['id']}/customDomain/{made['id']}/status")).refused(404)
    checked = (await client.get(f"/application/{application['id']}/checkCustomDomain")).ok()["results"]
    assert checked[0]["status"] in ("DOMAIN_NOT_CONFIGURED", "DOMAIN_LINKED_TO_WRONG_HOST")
    renamed = (await client.put(f"{path}/{made['id']}", {**body, "domain": f"x.{domain}"})).ok()
    assert renamed["domain"] == f"x.{domain}"
    (await client.delete(f"{path}/{made['id']}")).ok(204)
    assert (await client.get(path)).ok()["results"] == []
    for wrong in (
        "localhost",
        "web.localhost",
        "-x.com",
        "a b.com",
        "x",
        "http://x.com",
        "x.com/y",
        "1.2.3.4",
        "*.x.com",
    ):
        (await client.post(path, {"domain": wrong, "generate_certificate": False})).refused(422)
    certain = (await client.post(path, {"domain": "x.example.org", "generate_certificate": True})).refused(422)
    assert certain["errors"][0]["path"] == "$.generate_certificate"


async def test_a_push_deploys_what_its_paths_touch(platform: Any) -> None:
    environment = await platform.environment()
    application = await platform.application(environment["id"])
    client = platform.client()
    path = f"/application/{application['id']}/deploymentRestriction"
    one = (await client.post(path, {"mode": "EXCLUDE", "type": "PATH", "value": "docs/"})).ok(201)
    (await client.post(path, {"mode": "EXCLUDE", "type": "PATH", "value": "docs/"})).refused(409)
    link = (await client.get(f"/service/{application['id']}/gitLink")).ok()

    async def push(*paths: str) -> str:
        delivery = uuid7()
        commit = uuid7().replace("-", "") + "0" * 8
        sent = Push(
            link_id=link["id"],
            delivery_id=delivery,
            provider="slipway",
            organization_id=platform.organization,
            repository=link["repository"],
            clone_url=application["git_repository"]["url"],
            ref="refs/heads/main",
            before="0" * 40,
            after=commit,
            paths=list(paths),
            head=Commit(id=commit, message="said", author_name="Ada", author_email="ada@example.com"),
            received_at=datetime.now(UTC),
        )
        async with platform.nats.bus_as("webhooks") as bus:
            await bus.publish(GIT_PUSHED, sent, id=delivery, provider="slipway")
        return await eventually(lambda: decided(platform, delivery))

    assert "restricted" in await push("docs/a.md", "docs/b.md")
    assert "restricted" not in await push("docs/a.md", "main.py")
    (await client.put(f"{path}/{one['id']}", {"mode": "MATCH", "type": "PATH", "value": "api/"})).ok()
    assert "restricted" in await push("main.py")
    commits = (await client.get(f"/application/{application['id']}/commit")).ok()["results"]
    assert [one["message"] for one in commits] == ["said"] * 3
    people = (await client.get(f"/application/{application['id']}/contributor")).ok()["results"]
    assert [one["first_name"] for one in people] == ["Ada"]
    (await client.delete(f"{path}/{one['id']}")).ok(204)
    for wrong in ("/docs", "*", "a/../b", "", "a\nb"):
        (await client.post(path, {"mode": "MATCH", "type": "PATH", "value": wrong})).refused(422)


async def decided(platform: Any, delivery: str) -> str:
    async with platform.app.pool.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT decision, detail FROM git_deliveries WHERE delivery_id = $1 AND decision <> ''", delivery
        )
    return f"{row['decision']}: {row['detail']}" if row else ""


async def test_the_newest_lines_are_shown(platform: Any) -> None:
    environment = await platform.environment()
    application = await platform.application(environment["id"])
    place = {
        "cluster_id": platform.made.cluster_id,
        "environment_id": environment["id"],
        "service_id": application["id"],
        "kind": "run",
    }
    lines = [LogLine(sequence=n, time_ns=n * 10**9, stream="stdout", text=f"line {n}") for n in range(3)]
    async with platform.nats.bus_as("operator") as bus:
        await bus.publish(LOGGED, LogBatch(epoch="e", source="web-1", release="r1", lines=lines), **place)
    shown = (await platform.client().get(f"/application/{application['id']}/log")).ok()["results"]
    assert [(one["message"], one["pod_name"]) for one in shown] == [(f"line {n}", "web-1") for n in range(3)]
    other = await platform.application()
    assert (await platform.client().get(f"/application/{other['id']}/log")).ok()["results"] == []


async def test_a_locked_cluster_is_left_alone(platform: Any) -> None:
    taken_in = {"region": "r", "cloud_provider": "ON_PREMISE", "kubernetes": "SELF_MANAGED"}
    clusters = f"/organization/{platform.organization}/cluster"
    client = platform.client()
    cluster = (await client.post(clusters, {"name": f"c {uuid7()}", **taken_in})).ok(201)
    lock = f"/cluster/{cluster['id']}/lock"
    held = (await client.post(lock, {"reason": "audit", "ttl_in_days": 2})).ok()
    assert (held["reason"], held["owner_name"]) == ("audit", "slipway-cli")
    (await client.post(lock, {"reason": "mine"})).refused(409, "cluster.locked")
    listed = (await client.get(f"/organization/{platform.organization}/lock")).ok()["results"]
    assert [one["cluster_id"] for one in listed] == [cluster["id"]]
    (await client.put(f"{clusters}/{cluster['id']}", {"name": "x", **taken_in})).refused(409, "cluster.locked")
    (await client.delete(f"{clusters}/{cluster['id']}")).refused(409, "cluster.locked")
    (await client.post(f"/cluster/{cluster['id']}/credentials")).refused(409, "cluster.locked")
    (await client.delete(lock)).ok(204)
    (await client.delete(lock)).refused(404)
    (await client.delete(f"{clusters}/{cluster['id']}")).ok(204)


async def test_what_has_no_effect_on_a_cluster_is_refused(platform: Any) -> None:
    client = platform.client()
    one = f"/organization/{platform.organization}/cluster/{platform.made.cluster_id}"
    defaults = (await client.get("/defaultClusterAdvancedSettings")).ok()
    assert (await client.get(f"{one}/advancedSettings")).ok() == defaults
    assert (await client.put(f"{one}/advancedSettings", defaults)).ok(201) == defaults
    name = next(name for name, value in defaults.items() if value is True)
    (await client.put(f"{one}/advancedSettings", {name: False})).refused(422)
    assert (await client.get(f"{one}/routingTable")).ok() == {"results": []}
    assert (await client.put(f"{one}/routingTable", {"routes": []})).ok(201) == {"results": []}
    route = {"destination": "10.0.0.0/8", "target": "x", "description": ""}
    (await client.put(f"{one}/routingTable", {"routes": [route]})).refused(422)
    cloud = (await client.get(f"{one}/cloudProviderInfo")).ok()
    assert (await client.post(f"{one}/cloudProviderInfo", cloud)).ok(201) == cloud
    (await client.post(f"{one}/cloudProviderInfo", cloud | {"region": "mars"})).refused(422)
    (await client.get(f"{one}/kubeconfig")).refused(409, "unsupported")
    assert (await client.get(f"{one}/logs")).ok() == {"results": []}


@pytest.mark.parametrize("kind", ["application"])
async def test_networks_are_as_they_are(platform: Any, kind: str) -> None:
    application = await platform.application()
    client, path = platform.client(), f"/{kind}/{application['id']}/network"
    assert (await client.get(path)).ok() == {"sticky_session": False}
    assert (await client.put(path, {"sticky_session": False})).ok(201) == {"sticky_session": False}
    (await client.put(path, {"sticky_session": True})).refused(422)
