"""What people ask for over HTTP: answers in the reference's shapes, plans, rollback, deletion, rights."""

from typing import Any

import pytest

from slipway_contracts.base import uuid7
from slipway_testing.waiting import eventually

A, B, NONE = "a" * 40, "b" * 40, "0" * 40


async def deployed(control: Any, engine: Any, pushed: Any, name: str, before: str = NONE, after: str = A) -> str:
    id = control.services.get(name) or str(await control.application(name))
    await pushed(control.push(name, before, after))
    await (await engine.take()).done()
    await (await engine.take()).done()

    async def shown() -> bool:
        found = await control.deployments()
        return bool(found[0]["status"] == "DEPLOYED" and found[0]["commits"].get(id) == after)

    await eventually(shown)
    return id


async def test_deploy_says_that_nothing_was_pushed_yet(control: Any, engine: Any) -> None:
    await control.application("web")
    answer = await control.act("web", "redeploy")
    assert answer["state"] == "DEPLOYMENT_ERROR"
    deployment = await control.ended()
    assert deployment["status"] == "DEPLOYMENT_ERROR"
    assert "nothing was pushed to branch main yet" in deployment["reason"]
    assert (deployment["steps"][0]["kind"], deployment["steps"][0]["state"]) == ("pre_check", "FAILED")
    whole = await control.call("POST", f"/environment/{control.environment_id}/deploy", expect=202)
    assert whole["deployment_request_id"]
    assert (await control.ended(whole["deployment_request_id"]))["status"] == "DEPLOYED"


async def test_deploy_another_commit(control: Any, engine: Any, pushed: Any) -> None:
    await deployed(control, engine, pushed, "web")
    answer = await control.act("web", "deploy", {"git_commit_id": B.upper()})
    assert answer["state"] in ("WAITING_RUNNING", "BUILDING")
    assert (await (await engine.take()).done()).service.git.commit == B
    await (await engine.take()).done()
    assert (await control.ended())["status"] == "DEPLOYED"


@pytest.mark.parametrize("commit", ["--upload-pack=x", "main", "a" * 65, "$(id)", "abc\n"])
async def test_what_is_no_commit_is_refused(control: Any, engine: Any, commit: str) -> None:
    id = await control.application("web")
    refused = await control.call("POST", f"/application/{id}/deploy", {"git_commit_id": commit}, expect=422)
    assert "git_commit_id" in str(refused["errors"])
    assert await control.deployments() == []


async def test_an_unchanged_environment_is_left_alone_and_a_change_of_settings_does_not_build(
    control: Any, engine: Any, pushed: Any
) -> None:
    id = await deployed(control, engine, pushed, "web")
    await control.call("POST", f"/environment/{control.environment_id}/deploy", expect=202)
    deployment = await control.ended()
    assert (deployment["status"], deployment["steps"][-1]["state"]) == ("DEPLOYED", "SKIPPED")
    assert deployment["steps"][-1]["message"] == "unchanged"
    await control.variable("COLOUR", "green", service_id=id)
    assert (await control.status("web"))["service_deployment_status"] == "OUT_OF_DATE"
    plan = await control.call("POST", f"/environment/{control.environment_id}/plan", {})
    assert [(step["kind"], step["service_name"]) for step in plan["steps"]] == [("deploy", "web")]
    assert [(change["what"], change["name"], change["after"]) for change in plan["steps"][0]["changes"]] == [
        ("variable", "COLOUR", "added")
    ]
    await control.call("POST", f"/environment/{control.environment_id}/deploy", expect=202)
    task = await (await engine.take()).done()
    assert (task.kind, task.artifact) == ("deploy", f"built {A}")
    await control.ended()
    assert (await control.status("web"))["service_deployment_status"] == "UP_TO_DATE"


async def test_stop_restart_and_deploy_again(control: Any, engine: Any, pushed: Any) -> None:
    await deployed(control, engine, pushed, "web")
    for action, kind, state in (
        ("restart-service", "restart", "RESTARTED"),
        ("stop", "stop", "STOPPED"),
        ("redeploy", "deploy", "DEPLOYED"),
    ):
        await control.act("web", action)
        assert (await (await engine.take()).done()).kind == kind

        async def shown(expected: str = state) -> bool:
            return bool((await control.status("web"))["state"] == expected)

        await eventually(shown)


async def test_a_rollback_puts_the_old_release_back_and_switches_auto_deploy_off(
    control: Any, engine: Any, pushed: Any
) -> None:
    id = await deployed(control, engine, pushed, "web")
    first = (await control.deployments())[0]["id"]
    await deployed(control, engine, pushed, "web", A, B)
    answer = await control.call("POST", f"/service/{id}/rollback", {"deployment_id": first}, expect=202)
    assert (answer["trigger"], answer["steps"][-1]["kind"]) == ("rollback", "deploy")
    task = await (await engine.take()).done()
    assert (task.kind, task.artifact, task.service.git.commit) == ("deploy", f"built {A}", A)
    assert (await control.ended())["status"] == "DEPLOYED"
    await pushed(control.push("web", B, "c" * 40))

    async def decided() -> bool:
        async with control.app.pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT count(*) FROM git_deliveries WHERE decision = 'followed'"))

    await eventually(decided)
    assert len(await control.deployments()) == 3
    gone = await control.call("POST", f"/service/{id}/rollback", {"deployment_id": uuid7()}, expect=422)
    assert "deployment_id" in str(gone["errors"])


async def test_a_deleted_service_is_gone_when_its_engine_says_so(control: Any, engine: Any, pushed: Any) -> None:
    id = await deployed(control, engine, pushed, "web")
    never = await control.application("never")
    await control.call("DELETE", f"/application/{never}", expect=204)
    await control.call("GET", f"/application/{never}/status", expect=404)
    await control.call("DELETE", f"/application/{id}", expect=204)
    assert (await control.status("web"))["state"] in ("WAITING_DELETING", "DELETING")
    assert (await (await engine.take()).done()).kind == "delete"

    async def gone() -> bool:
        await control.call("GET", f"/application/{id}/status", expect=404)
        return True

    await eventually(gone)
    assert (await control.deployments())[0]["status"] == "DELETED"


async def test_a_service_stays_when_its_engine_cannot_delete_it(control: Any, engine: Any, pushed: Any) -> None:
    id = await deployed(control, engine, pushed, "web")
    await control.call("DELETE", f"/application/{id}", expect=204)
    await (await engine.take()).fail(message="the disk is gone")
    assert (await control.ended())["reason"] == "web could not be deleted: the disk is gone"
    assert (await control.status("web"))["state"] == "DELETE_ERROR"


async def test_an_environment_is_deleted_with_its_services_last_stage_first(
    control: Any, engine: Any, pushed: Any
) -> None:
    await deployed(control, engine, pushed, "web")
    await control.application("db", stage="DATABASE DEFAULT")
    await deployed(control, engine, pushed, "db")
    await control.call("DELETE", f"/environment/{control.environment_id}", expect=204)
    await control.call("POST", f"/environment/{control.environment_id}/deploy", expect=202)
    names = [(await (await engine.take()).done()).service.name for _ in range(2)]
    assert names == ["web", "db"]

    async def gone() -> bool:
        await control.call("GET", f"/environment/{control.environment_id}/status", expect=404)
        return True

    await eventually(gone)
    last = [view for verb, view in control.views if verb == "ended"][-2:]
    assert sorted((view.action, view.status) for view in last) == [("DELETE", "DELETED"), ("DEPLOY", "CANCELED")]


async def test_stages_go_one_after_the_other(control: Any, engine: Any, pushed: Any) -> None:
    await control.application("web", auto_deploy=False)
    await control.application("db", stage="DATABASE DEFAULT", auto_deploy=False)
    for name in ("web", "db"):
        await pushed(control.push(name, NONE, A))

    async def known() -> bool:
        plan = await control.call("POST", f"/environment/{control.environment_id}/plan")
        return len(plan["steps"]) == 4

    await eventually(known)
    await control.call("POST", f"/environment/{control.environment_id}/deploy", expect=202)
    builds = [await engine.take(), await engine.take()]
    assert {one.task.kind for one in builds} == {"build"}
    await builds[0].done()
    assert await engine.nothing()
    await builds[1].done()
    deploys = [(await (await engine.take()).done()).service.name for _ in range(2)]
    assert deploys == ["db", "web"]
    await control.ended()
    statuses = await control.call("GET", f"/environment/{control.environment_id}/statusesWithStages")
    by_stage = {one["stage"]["name"]: one for one in statuses["stages"]}
    assert by_stage["DATABASE DEFAULT"]["stage"]["status"] == "DONE"
    assert [one["id"] for one in by_stage["APPLICATION DEFAULT"]["applications"]] == [control.services["web"]]
    assert statuses["pre_check_stage"]["status"] == "SUCCESS"
    assert statuses["environment"]["state"] == "DEPLOYED"


async def test_statuses_and_history_have_the_references_shapes(control: Any, engine: Any, pushed: Any) -> None:
    id = await deployed(control, engine, pushed, "web")
    environment = f"/environment/{control.environment_id}"
    status = await control.call("GET", f"{environment}/status")
    assert (status["state"], status["last_deployment_state"], status["deployment_status"]) == (
        "DEPLOYED",
        "DEPLOYED",
        "UP_TO_DATE",
    )
    assert status["origin"] == "GIT"
    assert status["total_deployment_duration_in_seconds"] is not None
    statuses = await control.call("GET", f"{environment}/statuses")
    assert [one["id"] for one in statuses["applications"]] == [id]
    assert statuses["databases"] == []
    service = await control.status("web")
    assert {one["step_name"] for one in service["steps"]["details"]} >= {"BUILD", "DEPLOYMENT"}
    assert service["status_details"] == {"action": "DEPLOY", "status": "SUCCESS", "sub_action": "NONE"}
    assert [one["state"] for one in (await control.call("GET", f"{environment}/application/status"))["results"]] == [
        "DEPLOYED"
    ]
    of_project = await control.call("GET", f"/project/{control.project_id}/environment/status")
    assert [one["id"] for one in of_project["results"]] == [control.environment_id]
    for path in (f"{environment}/deploymentHistory", f"/application/{id}/deploymentHistory"):
        (entry,) = (await control.call("GET", path))["results"]
        commit = entry["applications"][0]["commit"] if "applications" in entry else entry["commit"]
        assert (commit["git_commit_id"], commit["message"], commit["author_name"]) == (A, "commit aaaa", "Ada")
    (entry,) = (await control.call("GET", f"{environment}/deploymentHistoryV2"))["results"]
    assert (entry["status"], entry["trigger_action"], entry["action_status"]) == ("DEPLOYED", "DEPLOY", "SUCCESS")
    assert [stage["name"] for stage in entry["stages"]] == ["APPLICATION DEFAULT"]
    (entry,) = (await control.call("GET", f"/application/{id}/deploymentHistoryV2"))["results"]
    assert entry["details"]["commit"]["git_commit_id"] == A


async def test_history_goes_on_where_a_page_ended(control: Any, engine: Any, pushed: Any) -> None:
    await deployed(control, engine, pushed, "web")
    for _ in range(2):
        await control.call("POST", f"/environment/{control.environment_id}/deploy", expect=202)
    path = f"/environment/{control.environment_id}/deployments"
    first = (await control.call("GET", f"{path}?pageSize=2"))["results"]
    rest = (await control.call("GET", f"{path}?pageSize=2&startId={first[-1]['id']}"))["results"]
    assert [one["number"] for one in first + rest] == [3, 2, 1]


async def test_every_field_of_a_deployment_is_there_also_when_empty(control: Any, engine: Any, pushed: Any) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))
    await engine.take()
    (deployment,) = await control.deployments()
    assert deployment["ended_at"] is None
    assert deployment["steps"][1]["percent"] is None
    assert (await control.call("GET", f"/deployment/{deployment['id']}"))["id"] == deployment["id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/application/{service}/redeploy"),
        ("POST", "/application/{service}/stop"),
        ("POST", "/environment/{environment}/deploy"),
        ("POST", "/environment/{environment}/cancelDeployment"),
        ("DELETE", "/application/{service}"),
        ("DELETE", "/environment/{environment}"),
    ],
)
async def test_who_may_only_read_can_change_nothing_and_strangers_see_nothing(
    control: Any, method: str, path: str
) -> None:
    id = await control.application("web")
    path = path.format(service=id, environment=control.environment_id)
    refused = await control.call(method, path, role="viewer", expect=403)
    assert refused["code"] == "auth.forbidden"
    headers = control.access.bearer("owner", uuid7())
    async with control.session.request(method, f"http://127.0.0.1:{control.port}/api{path}", headers=headers) as answer:
        assert answer.status == 404
    assert await control.deployments() == []


async def test_services_and_deployments_of_other_environments_are_not_reached_through_ones_own(
    control: Any, engine: Any, pushed: Any
) -> None:
    await deployed(control, engine, pushed, "web")
    deployment = (await control.deployments())[0]["id"]
    environment = f"/environment/{control.environment_id}"
    refused = await control.call("POST", f"{environment}/service/stop", {"application_ids": [uuid7()]}, expect=422)
    assert "is no service of this environment" in str(refused["errors"])
    foreign = control.access.bearer("owner", uuid7())
    for path in (f"/deployment/{deployment}", f"/deployment/{uuid7()}"):
        async with control.session.get(f"http://127.0.0.1:{control.port}/api{path}", headers=foreign) as answer:
            assert answer.status == 404


async def test_requests_are_audited(control: Any, engine: Any, pushed: Any) -> None:
    id = await deployed(control, engine, pushed, "web")
    await control.act("web", "stop")
    async with control.app.pool.acquire() as connection:
        rows = await connection.fetch("SELECT * FROM audit_events WHERE event_type LIKE 'TRIGGER_%' ORDER BY id")
    assert [(row["event_type"], row["actor"], row["origin"], str(row["target_id"])) for row in rows] == [
        ("TRIGGER_DEPLOY", "ada", "GIT", id),
        ("TRIGGER_STOP", f"owner-{control.organization_id}@example.com", "API", id),
    ]


async def test_an_uninstalled_service_stays_configured_and_is_woken_by_no_push(
    control: Any, engine: Any, pushed: Any
) -> None:
    id = await deployed(control, engine, pushed, "web")
    answer = await control.act("web", "uninstall")
    assert answer["id"] == id
    assert (await (await engine.take()).done()).kind == "delete"

    async def gone() -> bool:
        return bool((await control.status("web"))["state"] == "DELETED")

    await eventually(gone)
    assert (await control.status("web"))["service_deployment_status"] == "NEVER_DEPLOYED"
    await pushed(control.push("web", A, B))

    async def decided() -> bool:
        async with control.app.pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT count(*) FROM git_deliveries WHERE decision = 'followed'"))

    await eventually(decided)
    assert await engine.nothing()
    await control.call("POST", f"/environment/{control.environment_id}/deploy", expect=202)
    assert (await (await engine.take()).done()).service.git.commit == B
    await (await engine.take()).done()
    assert (await control.ended())["status"] == "DEPLOYED"
    await control.call("POST", f"/environment/{control.environment_id}/uninstall", expect=202)
    assert (await (await engine.take()).done()).kind == "delete"
