"""What builds and deployments said, as the reference's environment logs."""

import time
from typing import Any

from slipway_contracts.live import LOGGED, LogBatch, LogLine
from slipway_testing.waiting import eventually

A, B, NONE = "a" * 40, "b" * 40, "0" * 40


async def said(engine: Any, taken: Any, kind: str, *texts: str) -> None:
    task = taken.task
    lines = [
        LogLine(sequence=n, time_ns=time.time_ns() + n * 1000, stream="stdout", text=text)
        for n, text in enumerate(texts)
    ]
    batch = LogBatch(epoch=task.id, source=kind, deployment_id=task.deployment_id, step_id=task.step_id, lines=lines)
    await engine.bus.publish(
        LOGGED,
        batch,
        cluster_id=task.cluster_id,
        environment_id=task.environment_id,
        service_id=task.service_id,
        kind=kind,
    )


async def test_logs_tell_what_was_said_and_which_step_failed(control: Any, engine: Any, pushed: Any) -> None:
    id = await control.application("web")
    path = f"/environment/{control.environment_id}"
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    await said(engine, build, "build", "installing", "built")
    await build.done()
    deploy = await engine.take()
    await said(engine, deploy, "deploy", "starting")
    await deploy.fail(message="it ended with 3", details="no DATABASE_URL", code="start.exited")
    first = await control.ended()

    async def logged() -> list[dict[str, Any]] | None:
        shown = (await control.call("GET", f"{path}/log"))["results"]
        return shown if len(shown) == 4 else None

    shown = await eventually(logged)
    assert [one["message"] for one in shown] == ["installing", "built", "starting", "it ended with 3"]
    assert {one["scope"]["id"] for one in shown} == {id}
    assert [one["state"] for one in shown] == ["DEPLOYMENT_IN_PROGRESS"] * 3 + ["DEPLOYMENT_ERROR"]
    assert shown[-1]["hint"] == "no DATABASE_URL"
    assert len({one["id"] for one in shown}) == 4

    newer = await control.call("GET", f"{path}/logs")
    assert [one["type"] for one in newer] == ["info", "info", "info", "error"]
    assert newer[0]["message"]["safe_message"] == "installing"
    assert newer[0]["details"]["transmitter"] == {"id": id, "name": "web", "type": "Application"}
    assert newer[-1]["error"]["tag"] == "start.exited"
    assert newer[-1]["error"]["underlying_error"]["full_details"] == "no DATABASE_URL"

    # A later deployment has lines of its own; the earlier ones are found by id and by number.
    await pushed(control.push("web", A, B))
    await said(engine, again := await engine.take(), "build", "once more")
    await again.done()
    await (await engine.take()).done()

    async def later() -> list[str] | None:
        texts = [one["message"] for one in (await control.call("GET", f"{path}/log"))["results"]]
        return texts if texts == ["once more"] else None

    await eventually(later)
    for name in (first["id"], str(first["number"]), f"{control.environment_id}-{first['number']}"):
        assert await control.call("GET", f"{path}/logs?version={name}") == newer
