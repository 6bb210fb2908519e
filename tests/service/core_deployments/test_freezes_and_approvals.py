"""Freezes refuse and say until when and who may override; approvals wait, are seen, and end."""

from datetime import UTC, datetime, timedelta
from typing import Any

from slipway_testing.waiting import eventually

A, B, NONE = "a" * 40, "b" * 40, "0" * 40
OVERRIDE = "Slipway-Override-Freeze"


def window(**fields: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    known = {
        "name": "Black Friday",
        "reason": "the shop must not fall over",
        "modes": ["DEVELOPMENT"],
        "starts_at": (now - timedelta(hours=1)).isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
    }
    return {name: value for name, value in (known | fields).items() if value is not None}


async def decided(control: Any) -> str:
    """What became of the last push."""

    async def detail() -> str | None:
        async with control.app.pool.acquire() as connection:
            return await connection.fetchval("SELECT detail FROM git_deliveries WHERE decision = 'followed'")

    return await eventually(detail)


async def test_a_freeze_refuses_and_says_who_may_override(control: Any, engine: Any, pushed: Any) -> None:
    web = await control.application("web")
    path = f"/project/{control.project_id}/freezes"
    freeze = await control.call("POST", path, window(), expect=201)
    assert freeze["in_force_until"] is not None
    refused = await control.call("POST", f"/application/{web}/deploy", {"git_commit_id": A}, role="devops", expect=409)
    assert refused["code"] == "deployment.frozen"
    assert all(part in refused["detail"] for part in ("dev is frozen until", "Black Friday", "fall over", "admins"))
    await pushed(control.push("web", NONE, A))
    assert "frozen until" in await decided(control)
    plan = await control.call("POST", f"/environment/{control.environment_id}/plan", {"services": {web: A}})
    assert "frozen" in plan["notes"][0]
    assert await control.deployments() == []
    denied = {OVERRIDE: "please"}
    body = {"git_commit_id": A}
    await control.call("POST", f"/application/{web}/deploy", body, role="devops", headers=denied, expect=403)
    await control.call("POST", f"/application/{web}/deploy", body, headers={OVERRIDE: "outage 42"}, expect=202)
    await (await engine.take()).done()
    await (await engine.take()).done()
    assert (await control.ended())["status"] == "DEPLOYED"
    async with control.app.pool.acquire() as connection:
        said = await connection.fetchval("SELECT after FROM audit_events WHERE event_type = 'TRIGGER_DEPLOY'")
    assert "outage 42" in said
    # A restart changes nothing about what runs.
    await control.act("web", "restart-service")
    await (await engine.take()).done()
    assert [one["name"] for one in (await control.call("GET", path))["results"]] == ["Black Friday"]
    await control.call("DELETE", f"{path}/{freeze['id']}", role="devops", expect=403)
    await control.call("DELETE", f"{path}/{freeze['id']}", expect=204)
    await control.ended()
    await control.act("web", "redeploy")
    assert (await (await engine.take()).done()).kind == "deploy"


async def test_a_freeze_holds_where_it_is_set_and_for_its_modes(control: Any, engine: Any) -> None:
    await control.application("web")
    elsewhere = f"/environment/{control.environment_id}/freezes"
    await control.call("POST", elsewhere, window(name="production only", modes=["PRODUCTION"]), expect=201)
    over = window(starts_at="2020-01-01T00:00:00Z", ends_at="2020-01-02T00:00:00Z")
    for body in (
        over,
        window(ends_at=None),
        window(modes=["NONE"]),
        window(weekly={"timezone": "UTC", "from_day": "X", "from_time": "8", "to_day": "FRIDAY", "to_time": "09:00"}),
    ):
        await control.call("POST", elsewhere, body, expect=422)
    answer = await control.act("web", "redeploy")
    assert answer["state"] == "DEPLOYMENT_ERROR"  # nothing was pushed yet: it was let in


async def test_what_waits_when_a_freeze_begins_does_not_start(control: Any, engine: Any, pushed: Any) -> None:
    web = await control.application("web")
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    await control.call("POST", f"/application/{web}/deploy", {"git_commit_id": B}, expect=202)
    await control.call("POST", f"/organization/{control.organization_id}/freezes", window(), expect=201)
    await build.done()
    await (await engine.take()).done()

    async def dropped() -> dict[str, Any] | None:
        newest = (await control.deployments())[0]
        return newest if newest["ended_at"] else None

    newest = await eventually(dropped)
    assert newest["status"] == "CANCELED"
    assert "frozen until" in newest["reason"]


async def need_approval(control: Any, **fields: Any) -> None:
    path = f"/environment/{control.environment_id}/approvalPolicy"
    policy = await control.call("PUT", path, {"required": True} | fields)
    assert policy["required"] is True
    await control.call("PUT", path, {"required": False}, role="devops", expect=403)


async def test_a_deployment_waits_until_somebody_else_agrees(control: Any, engine: Any, pushed: Any) -> None:
    web = await control.application("web")
    await need_approval(control)
    await control.call("POST", f"/application/{web}/deploy", {"git_commit_id": A}, role="devops", expect=202)
    (asked,) = (await control.call("GET", f"/environment/{control.environment_id}/approvals"))["results"]
    assert (asked["status"], asked["approval"]) == ("DEPLOYMENT_QUEUED", "WAITING")
    assert "waits for approval by somebody who may manage the environment, other than who asked" in asked["reason"]
    assert await engine.nothing()
    queue = await control.call("GET", f"/environment/{control.environment_id}/deploymentQueue")
    assert queue["results"][0]["identifier"]["deployment_request_id"] == asked["id"]
    path = f"/deployment/{asked['id']}/approve"
    own = await control.call("POST", path, {}, role="devops", expect=403)
    assert own["code"] == "approval.own"
    await control.call("POST", path, {}, role="viewer", expect=403)
    approved = await control.call("POST", path, {"comment": "looks fine"}, expect=202)
    assert (approved["approval"], approved["approval_comment"]) == ("APPROVED", "looks fine")
    await (await engine.take()).done()
    await (await engine.take()).done()
    assert (await control.ended())["status"] == "DEPLOYED"
    again = await control.call("POST", path, {}, expect=409)
    assert again["code"] == "approval.nothing"


async def test_a_denied_deployment_says_by_whom_and_why(control: Any, engine: Any, pushed: Any) -> None:
    await control.application("web")
    await need_approval(control)
    await pushed(control.push("web", NONE, A))

    async def waiting() -> list[dict[str, Any]]:
        found = await control.call("GET", f"/environment/{control.environment_id}/approvals")
        return list(found["results"])

    (asked,) = await eventually(waiting)
    denied = await control.call("POST", f"/deployment/{asked['id']}/deny", {"comment": "not today"}, expect=202)
    assert (denied["status"], denied["approval"]) == ("CANCELED", "DENIED")
    assert denied["reason"].endswith(": not today")
    assert await engine.nothing()


async def test_nobody_agrees_in_time(control: Any, engine: Any) -> None:
    web = await control.application("web")
    await need_approval(control, expires_after_seconds=60)
    await control.call("POST", f"/application/{web}/deploy", {"git_commit_id": A}, expect=202)
    async with control.app.work() as work:
        await work.connection.execute("UPDATE deployments SET due_at = now()")
    ended = await control.ended()
    assert (ended["status"], ended["approval"]) == ("CANCELED", "EXPIRED")
    assert "nobody approved it in time" in ended["reason"]


async def test_what_waits_for_approval_holds_nothing_up_and_is_not_changed_after_it(
    control: Any, engine: Any, pushed: Any
) -> None:
    web = await control.application("web")
    await need_approval(control, allow_own=True)
    await control.call("POST", f"/application/{web}/deploy", {"git_commit_id": A}, expect=202)
    await control.act("web", "restart-service")
    restart = (await control.deployments())[0]
    assert restart["ended_at"], "a restart needs nobody's agreement and waits for no approval"
    (asked,) = (await control.call("GET", f"/environment/{control.environment_id}/approvals"))["results"]
    await control.call("POST", f"/deployment/{asked['id']}/approve", expect=202)
    build = await engine.take()
    await control.call("POST", f"/application/{web}/deploy", {"git_commit_id": B}, expect=202)
    (later,) = (await control.call("GET", f"/environment/{control.environment_id}/approvals"))["results"]
    assert later["id"] != asked["id"]
    await build.done()
    await (await engine.take()).done()
    assert (await control.ended(asked["id"]))["status"] == "DEPLOYED"
    assert await engine.nothing()
