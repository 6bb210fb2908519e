"""Organizations, projects, environments, stages, rules: made, changed, taken away, and told of."""

import asyncio
from typing import Any

import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.events import CHANGED
from slipway_testing import eventually

RULE = {
    "timezone": "Europe/Berlin",
    "start_time": "1970-01-01T08:30:00.000Z",
    "stop_time": "1970-01-01T19:00:00.000Z",
    "weekdays": ["FRIDAY", "MONDAY"],
    "auto_stop": True,
}


async def test_names_are_unique_where_they_stand_whatever_their_case(platform: Any) -> None:
    project = await platform.project("Shop")
    path = f"/organization/{platform.organization}/project"
    body = (await platform.client().post(path, {"name": "shop"})).refused(409, "name.taken")
    assert body["field"] == "name"
    await platform.environment(project["id"], "main")
    await platform.environment((await platform.project())["id"], "main")
    (await platform.client().post(f"/project/{project['id']}/environment", {"name": "Main"})).refused(409)


async def test_what_is_used_says_by_what(platform: Any) -> None:
    project = await platform.project()
    environment = await platform.environment(project["id"], "there")
    body = (await platform.client().delete(f"/project/{project['id']}")).refused(409, "in_use")
    assert body["used_by"] == [{"kind": "environment", "id": environment["id"], "name": "there"}]
    (await platform.client().delete(f"/organization/{platform.organization}")).refused(409, "in_use")
    empty = await platform.project()
    (await platform.client().delete(f"/project/{empty['id']}")).ok(204)
    (await platform.client().get(f"/project/{empty['id']}")).refused(404)


async def test_two_people_dont_overwrite_each_other(platform: Any) -> None:
    project = await platform.project()
    path = f"/project/{project['id']}"
    first = (await platform.client().get(path)).headers["ETag"]
    changed = await platform.client().put(path, {"name": project["name"], "description": "one"}, If_Match=first)
    assert changed.status == 200
    late = await platform.client().put(path, {"name": project["name"], "description": "two"}, If_Match=first)
    late.refused(412, "request.changed_meanwhile")
    assert (await platform.client().get(path)).ok()["description"] == "one"


async def test_what_was_read_can_be_sent_back(platform: Any) -> None:
    project = await platform.project()
    read = (await platform.client().get(f"/project/{project['id']}")).ok()
    assert (await platform.client().put(f"/project/{project['id']}", read)).status == 200
    organization = (await platform.client().get(f"/organization/{platform.organization}")).ok()
    assert (await platform.client().put(f"/organization/{platform.organization}", organization)).status == 200
    body = (await platform.client().put(f"/project/{project['id']}", read | {"organization_id": uuid7()})).refused(422)
    assert body["errors"] == [{"path": "$.organization_id", "message": "This field is not known here."}]


async def test_the_same_request_again_makes_nothing_twice(platform: Any) -> None:
    path, key = f"/organization/{platform.organization}/project", f"key-{uuid7()}"
    body = {"name": f"once {uuid7()}"}
    answers = await asyncio.gather(*(platform.client().post(path, body, Idempotency_Key=key) for _ in range(5)))
    assert {answer.ok()["id"] for answer in answers} == {answers[0].body["id"]}
    other = await platform.client().post(path, {"name": "something else"}, Idempotency_Key=key)
    other.refused(409, "idempotency.reused")
    wrong = {"name": ""}
    (await platform.client().post(path, wrong, Idempotency_Key=f"{key}-2")).refused(422)
    assert (await platform.client().post(path, body | {"name": f"fixed {uuid7()}"}, Idempotency_Key=f"{key}-2")).ok()


async def test_an_environment_stands_on_a_cluster_of_its_own_organization(platform: Any) -> None:
    project = await platform.project()
    stranger, organization = await platform.stranger()
    theirs = (
        await stranger.post(
            f"/organization/{organization}/cluster",
            {"name": "c", "region": "x", "cloud_provider": "ON_PREMISE", "kubernetes": "SELF_MANAGED"},
        )
    ).ok(201)
    for id in (theirs["id"], uuid7()):
        answer = await platform.client().post(f"/project/{project['id']}/environment", {"name": "e", "cluster": id})
        assert answer.refused(422)["errors"][0]["path"] == "$.cluster"
    # Whoever belongs to both organizations can't mix them either.
    both, both_id = await platform.person("owner")
    async with platform.app.work() as work:
        await work.members.put(organization, both_id, "owner")
        await work.copies.add("access", [f"user.{both_id}"])
    await eventually(lambda: platform.sees(both, organization))
    body = {"name": "e", "cluster": theirs["id"]}
    (await both.post(f"/project/{project['id']}/environment", body)).refused(422)


async def test_stages_are_ordered_and_hold_every_service_once(platform: Any) -> None:
    environment = await platform.environment()
    application = await platform.application(environment["id"])
    client, path = platform.client(), f"/environment/{environment['id']}/deploymentStage"
    stages = (await client.get(path)).ok()["results"]
    assert [one["name"] for one in stages] == [
        "DATABASE DEFAULT",
        "JOB DEFAULT",
        "CONTAINER DEFAULT",
        "APPLICATION DEFAULT",
    ]
    assert [one["service_id"] for one in stages[3]["services"]] == [application["id"]]
    late = (await client.post(path, {"name": "late"})).ok()
    moved = (await client.put(f"/deploymentStage/{late['id']}/moveBefore/{stages[0]['id']}")).ok()["results"]
    assert [one["name"] for one in moved][:2] == ["late", "DATABASE DEFAULT"]
    moved = (await client.put(f"/deploymentStage/{late['id']}/moveAfter/{stages[1]['id']}")).ok()["results"]
    assert [one["name"] for one in moved][2] == "late"
    assert [one["deployment_order"] for one in moved] == [1, 2, 3, 4, 5]
    attach = f"/deploymentStage/{late['id']}/service/{application['id']}"
    after = (await client.put(attach, {"is_skipped": True})).ok()["results"]
    assert [one["name"] for one in after if one["services"]] == ["late"]
    assert after[2]["services"][0]["is_skipped"] is True
    used = (await client.delete(f"/deploymentStage/{late['id']}")).refused(409, "in_use")
    assert used["used_by"][0]["name"] == "web"
    (await client.put(f"/deploymentStage/{stages[3]['id']}/service/{application['id']}")).ok()
    (await client.delete(f"/deploymentStage/{late['id']}")).ok(204)
    foreign = await platform.application(name="elsewhere")
    (await client.put(f"/deploymentStage/{stages[0]['id']}/service/{foreign['id']}")).refused(404)
    mine = (await client.get(f"/service/{application['id']}/deploymentStage")).ok()
    assert mine["name"] == "APPLICATION DEFAULT"


async def test_a_timetable_reaches_the_scheduler(platform: Any) -> None:
    environment = await platform.environment()
    client, path = platform.client(), f"/environment/{environment['id']}/deploymentRule"
    rule = (await client.get(path)).ok()
    assert rule["auto_stop"] is False
    changed = (await client.put(f"{path}/{rule['id']}", RULE)).ok()
    assert changed["weekdays"] == ["MONDAY", "FRIDAY"]
    told = await eventually(lambda: event_of(platform, "deployment_rule", rule["id"]))
    assert told.environment_id == environment["id"]
    assert told.version == 2
    assert {name: told.body[name] for name in ("auto_stop", "timezone", "weekdays")} == {
        "auto_stop": True,
        "timezone": "Europe/Berlin",
        "weekdays": ["MONDAY", "FRIDAY"],
    }
    assert told.body["start_time"].startswith("1970-01-01T08:30:00")


async def event_of(platform: Any, entity: str, id: str) -> Any:
    found = None
    ids = {"organization_id": platform.organization, "entity": entity}
    async for stored in platform.app.bus.history(CHANGED, **ids):
        found = stored.message if stored.message.entity_id == id else found
    return found


@pytest.mark.parametrize(
    ("field", "value"),
    [("timezone", "Mars/Olympus"), ("timezone", "../etc/passwd"), ("weekdays", []), ("stop_time", RULE["start_time"])],
)
async def test_a_timetable_that_cant_be_kept_is_refused(platform: Any, field: str, value: Any) -> None:
    environment = await platform.environment()
    path = f"/environment/{environment['id']}/deploymentRule"
    rule = (await platform.client().get(path)).ok()
    body = (await platform.client().put(f"{path}/{rule['id']}", RULE | {field: value})).refused(422)
    assert body["errors"][0]["path"] == f"$.{field}"


async def test_rules_of_a_project_are_ordered(platform: Any) -> None:
    project = await platform.project()
    client, path = platform.client(), f"/project/{project['id']}/deploymentRule"
    body = RULE | {"mode": "STAGING", "cluster_id": platform.made.cluster_id, "wildcard": "[PR]*"}
    first = (await client.post(path, body | {"name": "one"})).ok(201)
    second = (await client.post(path, body | {"name": "two"})).ok(201)
    assert [first["priority_index"], second["priority_index"]] == [1, 2]
    order = {"project_deployment_rule_ids_in_order": [second["id"], first["id"]]}
    assert (await client.put(f"{path}/order", order)).status == 200
    assert [one["name"] for one in (await client.get(path)).ok()["results"]] == ["two", "one"]
    (await client.put(f"{path}/order", {"project_deployment_rule_ids_in_order": [first["id"]]})).refused(422)
    changed = (await client.put(f"{path}/{first['id']}", body | {"name": "uno"})).ok()
    assert changed["name"] == "uno"
    (await client.delete(f"{path}/{second['id']}")).ok(204)
    (await client.get(f"{path}/{second['id']}")).refused(404)
    elsewhere = await platform.project()
    (await client.get(f"/project/{elsewhere['id']}/deploymentRule/{first['id']}")).refused(404)


async def test_every_change_is_in_the_audit_log(platform: Any) -> None:
    person, id = await platform.person("devops")
    project = (
        await person.post(
            f"/organization/{platform.organization}/project", {"name": f"seen {id}"}, User_Agent="slipway-cli/1"
        )
    ).ok()
    await person.put(f"/project/{project['id']}", {"name": project["name"], "description": "new"})
    path = f"/organization/{platform.organization}/events?targetId={project['id']}"
    events = (await platform.client().get(path)).ok()["events"]
    assert [event["event_type"] for event in events] == ["UPDATE", "CREATE"]
    assert events[1]["origin"] == "CLI"
    assert events[0]["triggered_by"].endswith("@example.com")
    assert '"description":"new"' in events[0]["change"]
    assert '"description"' not in events[0]["original_change"]
    first = (await platform.client().get(f"{path}&pageSize=1")).ok()
    assert [event["event_type"] for event in first["events"]] == ["UPDATE"]
    following = first["links"]["next"].partition("/api")[2]
    second = (await platform.client().get(following)).ok()
    assert [event["event_type"] for event in second["events"]] == ["CREATE"]
    back = (await platform.client().get(second["links"]["previous"].partition("/api")[2])).ok()
    assert [event["event_type"] for event in back["events"]] == ["UPDATE"]
    for query in ("eventType=DELETE", "targetType=CLUSTER", "origin=CONSOLE", "toTimestamp=1000000000"):
        assert (await platform.client().get(f"{path}&{query}")).ok()["events"] == []
    for query in ("fromTimestamp=never", "continueToken=x", "serviceProjectId=x", "eventType=NONSENSE"):
        (await platform.client().get(f"{path}&{query}")).refused(422)
    targets = (await platform.client().get(f"/organization/{platform.organization}/targets?targetType=PROJECT")).ok()
    assert {"id": project["id"], "name": project["name"]} in targets["targets"]
