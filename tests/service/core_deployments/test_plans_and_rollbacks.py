"""Plans shown before they run, guesses by past runs, and going back to code, configuration and variables of then."""

from typing import Any

from slipway_contracts.tasks import TaskState
from slipway_testing.waiting import eventually

A, B, NONE = "a" * 40, "b" * 40, "0" * 40


async def deployed(control: Any, engine: Any, pushed: Any, before: str = NONE, after: str = A) -> str:
    """Push a commit of `web`, have it deployed; the deployment's id."""
    if "web" not in control.services:
        await control.application("web")
    await pushed(control.push("web", before, after))
    await (await engine.take()).done()
    await (await engine.take()).done()
    return await ended_at(control, after)


async def ended_at(control: Any, commit: str) -> str:
    async def found() -> str | None:
        newest = (await control.deployments())[0]
        good = newest["status"] == "DEPLOYED" and newest["commits"].get(control.services["web"]) == commit
        return str(newest["id"]) if good else None

    return await eventually(found)


async def change(control: Any, key: str, value: str) -> None:
    """A new value for a variable of the environment, plain or secret."""
    async with control.app.work() as work:
        rows = await work.variables.of_environment(control.environment_id)
        (row,) = (row for row in rows if row.key == key)
        await work.variables.delete(row.id)
    await control.variable(key, value, secret=row.is_secret)


def variables(taken: Any) -> dict[str, str]:
    return {one.key: one.value for one in taken.secrets().variables if not one.key.startswith(("QOVERY_", "SLIPWAY_"))}


async def test_a_plan_says_per_service_what_changes_and_how_long_it_may_take(
    control: Any, engine: Any, pushed: Any
) -> None:
    await deployed(control, engine, pushed)
    web, path = control.services["web"], f"/environment/{control.environment_id}/plan"
    assert (await control.call("POST", path, {}))["services"] == []
    await control.application("api")
    await control.variable("COLOUR", "green", service_id=web)
    async with control.app.work() as work:
        await work.connection.execute(
            """UPDATE services SET config = config || '{"memory": 512, "max_running_instances": 3}' WHERE id = $1""",
            web,
        )
    plan = await control.call("POST", path, {"services": {web: B}})
    (one,) = plan["services"]
    assert (one["service_name"], one["commit"], one["is_built"], one["is_new"]) == ("web", B, True, False)
    assert [(c["area"], c["what"], c["name"], c["before"], c["after"]) for c in one["changes"]] == [
        ("commit", "commit", "", A, B),
        ("replicas", "max_instances", "", 1, 3),
        ("resources", "memory_mib", "", 256, 512),
        ("variables", "variable", "COLOUR", None, "added"),
    ]
    assert [step["kind"] for step in plan["steps"]] == ["build", "deploy"]
    assert plan["is_estimate_complete"] is True
    build, deploy = plan["steps"]
    assert deploy["begins_at_seconds"] >= build["estimated_seconds"] >= 0
    assert plan["estimated_seconds"] is not None
    new = await control.call("POST", path, {"services": {control.services["api"]: B}})
    assert (new["services"][0]["is_new"], new["estimated_seconds"], new["is_estimate_complete"]) == (True, None, False)
    stop = await control.call("POST", path, {"action": "STOP"})
    assert [(step["kind"], step["service_name"]) for step in stop["steps"]] == [("stop", "web")]
    await control.call("POST", path, {"action": "EXPLODE"}, expect=422)
    assert len(await control.deployments()) == 1


async def test_a_running_step_says_how_far_it_is_and_how_long_it_may_take(
    control: Any, engine: Any, pushed: Any
) -> None:
    await deployed(control, engine, pushed)
    async with control.app.work() as work:
        await work.connection.execute("UPDATE step_durations SET seconds = '{100, 100, 5000}'")
    await control.act("web", "redeploy")
    taken = await engine.take()
    await taken.say(TaskState.STARTED)

    async def running() -> dict[str, Any] | None:
        found = (await control.deployments())[0]
        return found if found["steps"][-1]["state"] == "RUNNING" else None

    shown: dict[str, Any] = await eventually(running)
    step = shown["steps"][-1]
    assert (step["estimated_seconds"], step["percent"]) == (100, 0)
    assert 80 < step["remaining_seconds"] <= 100
    assert 80 < shown["remaining_seconds"] <= 100
    assert step["ready_at"] <= step["started_at"]
    await taken.say(TaskState.PROGRESS, percent=60, message="copies")
    await taken.say(TaskState.SUCCEEDED)
    await taken.delivery.ack()
    over = await control.ended()
    assert (over["percent"], over["remaining_seconds"]) == (100, None)
    assert any(view.steps[-1].percent == 60 for verb, view in control.views if verb == "progressed")
    assert (await control.heard("ended")).percent == 100


async def test_a_rollback_brings_variables_of_then_and_secrets_of_now(control: Any, engine: Any, pushed: Any) -> None:
    await control.variable("COLOUR", "green")
    await control.variable("PASSWORD", "old", secret=True)
    await control.variable("TOKEN", "of then", secret=True)
    first = await deployed(control, engine, pushed)
    web = control.services["web"]
    await change(control, "COLOUR", "red")
    await change(control, "PASSWORD", "new")
    async with control.app.work() as work:
        await work.connection.execute("DELETE FROM variables WHERE key = 'TOKEN'")
    await control.variable("FRESH", "1")
    await deployed(control, engine, pushed, A, B)

    plan = await control.call("POST", f"/service/{web}/rollback/plan", {"deployment_id": first})
    changed = {(c["what"], c["name"], c["after"]) for c in plan["services"][0]["changes"]}
    assert changed == {("commit", "", A), ("variable", "COLOUR", "changed"), ("variable", "FRESH", "removed")}
    assert any("auto-deploy is switched off" in note for note in plan["notes"])
    assert any("TOKEN" in note and "left out" in note for note in plan["notes"])
    assert len(await control.deployments()) == 2

    answer = await control.call("POST", f"/service/{web}/rollback", {"deployment_id": first}, expect=202)
    assert any("auto-deploy is switched off" in note for note in answer["notes"])
    taken = await engine.take()
    assert (taken.task.kind, taken.task.artifact) == ("deploy", f"built {A}")
    assert variables(taken) == {"COLOUR": "green", "PASSWORD": "new"}
    await taken.done()
    await ended_at(control, A)
    async with control.app.reading() as work:
        service = await work.services.get(web)
        assert service is not None
        assert service.auto_deploy is False

    # What is in place now is not what is configured, and the plan of a deployment says so.
    ahead = await control.call("POST", f"/environment/{control.environment_id}/plan", {"services": {web: A}})
    assert {c["name"] for c in ahead["services"][0]["changes"]} == {"COLOUR", "FRESH"}


async def test_an_old_secret_comes_back_only_by_its_name(control: Any, engine: Any, pushed: Any) -> None:
    await control.variable("PASSWORD", "old", secret=True)
    await control.variable("OTHER", "old", secret=True)
    first = await deployed(control, engine, pushed)
    await change(control, "PASSWORD", "new")
    await change(control, "OTHER", "new")
    await deployed(control, engine, pushed, A, B)
    path = f"/environment/{control.environment_id}/rollback"
    refused = await control.call("POST", path, {"deployment_id": first, "old_secrets": ["NOPE"]}, expect=422)
    assert "NOPE" in str(refused["errors"])
    await control.call("POST", path, {"deployment_id": first, "old_secrets": ["PASSWORD"]}, expect=202)
    taken = await engine.take()
    assert variables(taken) == {"PASSWORD": "old", "OTHER": "new"}
    await taken.done()
    await ended_at(control, A)


async def test_what_was_kept_is_readable_by_nobody(control: Any, engine: Any, pushed: Any) -> None:
    await control.variable("PASSWORD", "tr0ub4dor&3", secret=True)
    await deployed(control, engine, pushed)
    async with control.app.pool.acquire() as connection:
        kept = await connection.fetch("SELECT snapshot FROM releases UNION ALL SELECT snapshot FROM deployment_steps")
    found = [row["snapshot"] for row in kept if row["snapshot"] is not None]
    assert len(found) == 2
    assert all(b"tr0ub4dor" not in one and b"PASSWORD" not in one for one in found)


async def test_a_rollback_to_what_is_in_place_changes_nothing(control: Any, engine: Any, pushed: Any) -> None:
    first = await deployed(control, engine, pushed)
    web = control.services["web"]
    answer = await control.call("POST", f"/service/{web}/rollback", {"deployment_id": first}, expect=202)
    assert (answer["status"], answer["notes"]) == ("DEPLOYED", [])
    async with control.app.reading() as work:
        service = await work.services.get(web)
        assert service is not None
        assert service.auto_deploy is True
