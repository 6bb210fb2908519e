"""From a push to a deployed service, with an engine at the other end of the bus."""

from collections.abc import Awaitable, Callable
from typing import Any

from slipway_contracts.base import uuid7
from slipway_contracts.git import Push
from slipway_contracts.tasks import TaskState
from slipway_security import jwt
from slipway_testing.waiting import eventually

A, B, C, NONE = "a" * 40, "b" * 40, "c" * 40, "0" * 40
Pushed = Callable[[Push], Awaitable[None]]


async def test_a_push_is_built_deployed_and_told(control: Any, engine: Any, pushed: Pushed) -> None:
    web = await control.application("web")
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    assert (build.task.kind, build.task.service.git.commit, build.task.fence) == ("build", A, 1)
    await build.done()
    deploy = await engine.take()
    assert (deploy.task.kind, deploy.task.artifact, deploy.task.fence) == ("deploy", f"built {A}", 2)
    await deploy.done()
    deployment = await control.ended()
    assert (deployment["status"], deployment["trigger"], deployment["commits"]) == ("DEPLOYED", "push", {web: A})
    assert [(step["kind"], step["state"]) for step in deployment["steps"]] == [
        ("pre_check", "SUCCEEDED"),
        ("build", "SUCCEEDED"),
        ("deploy", "SUCCEEDED"),
    ]
    assert {verb for verb, _ in control.views} == {"queued", "started", "progressed", "ended"}
    assert (await control.heard("ended")).status == "DEPLOYED"
    status = await control.status("web")
    assert (status["state"], status["service_deployment_status"]) == ("DEPLOYED", "UP_TO_DATE")


async def test_a_failed_deploy_says_why_and_the_old_release_stays(control: Any, engine: Any, pushed: Pushed) -> None:
    web = await control.application("web")
    await pushed(control.push("web", NONE, A))
    await (await engine.take()).done()
    await (await engine.take()).done()
    await control.ended()
    await pushed(control.push("web", A, B))
    await (await engine.take()).done()
    await (await engine.take()).fail()
    deployment = await eventually(lambda: _newest(control, B, web))
    assert deployment["status"] == "DEPLOYMENT_ERROR"
    assert deployment["reason"] == "web could not be deployed: it ended with 3"
    failed = next(step for step in deployment["steps"] if step["state"] == "FAILED")
    assert (failed["code"], failed["details"]) == ("start.exited", "no DATABASE_URL")
    releases = await control.call("GET", f"/service/{web}/releases")
    assert [(release["commit"], release["in_place"]) for release in releases["results"]] == [(A, True)]
    assert (await control.status("web"))["service_deployment_status"] == "OUT_OF_DATE"


async def _newest(control: Any, commit: str, service_id: str) -> dict[str, Any] | None:
    for one in await control.deployments():
        if one["commits"].get(service_id) == commit and one["ended_at"]:
            return dict(one)
    return None


async def test_variables_travel_sealed_and_the_git_login_is_for_one_repository(
    control: Any, engine: Any, pushed: Pushed
) -> None:
    web = await control.application("web")
    await control.variable("COLOUR", "green")
    await control.variable("PASSWORD", "tr0ub4dor&3", secret=True, service_id=web)
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    secrets = build.secrets()
    values = {one.key: (one.value, one.secret) for one in secrets.variables}
    assert values["COLOUR"] == ("green", False)
    assert values["PASSWORD"] == ("tr0ub4dor&3", True)
    assert b"tr0ub4dor" not in build.delivery.data
    assert secrets.git_username == "slipway"
    key = control.app.signing_key
    claims = jwt.verify(secrets.git_password, {key.kid: key.public_pem}, "slipway-git")
    assert claims["repository"] == "shop/web"
    async with control.app.pool.acquire() as connection:
        for table in ("deployments", "deployment_steps", "releases", "outbox"):
            found = await connection.fetch(f"SELECT * FROM {table}")  # noqa: S608  names of our own tables
            assert "tr0ub4dor" not in str([dict(row) for row in found])


async def test_a_secret_that_cannot_be_decrypted_fails_its_step_and_says_which(
    control: Any, engine: Any, pushed: Pushed
) -> None:
    web = await control.application("web")
    await control.variable("PASSWORD", "x", secret=True, service_id=web)
    async with control.app.pool.acquire() as connection:
        await connection.execute("UPDATE variables SET ciphertext = $1", b"\x01" + b"\0" * 60)
    await pushed(control.push("web", NONE, A))
    deployment = await control.ended()
    assert deployment["status"] == "BUILD_ERROR"
    assert "PASSWORD" in deployment["reason"]
    assert next(step["code"] for step in deployment["steps"] if step["state"] == "FAILED") == "secret.undecryptable"
    assert await engine.nothing()


async def test_a_delivery_takes_effect_once(control: Any, engine: Any, pushed: Pushed) -> None:
    await control.application("web")
    push = control.push("web", NONE, A)
    for _ in range(3):
        await pushed(push)
    await (await engine.take()).done()
    await (await engine.take()).done()
    await control.ended()
    await pushed(push)
    await pushed(control.push("web", A, B, ref="refs/heads/other"))
    await eventually(lambda: _decision(control, "not_followed"))
    assert len(await control.deployments()) == 1


async def _decision(control: Any, name: str) -> bool:
    async with control.app.pool.acquire() as connection:
        return bool(await connection.fetchval("SELECT count(*) FROM git_deliveries WHERE decision = $1", name))


async def test_pushes_coalesce_while_one_runs_and_the_newest_commit_wins(
    control: Any, engine: Any, pushed: Pushed
) -> None:
    web = await control.application("web")
    await pushed(control.push("web", NONE, A))
    first = await engine.take()
    commits = [f"{number:040x}" for number in range(1, 20)]
    for before, after in zip([A, *commits], commits, strict=False):
        await pushed(control.push("web", before, after))

    async def waiting() -> list[dict[str, Any]]:
        return [one for one in await control.deployments() if one["commits"].get(web) == commits[-1]]

    await eventually(waiting)
    assert len(await control.deployments()) == 2
    await first.done()
    await (await engine.take()).done()
    build = await engine.take()
    assert build.task.service.git.commit == commits[-1]
    await build.done()
    await (await engine.take()).done()
    deployment = await control.ended()
    assert (deployment["status"], deployment["commits"]) == ("DEPLOYED", {web: commits[-1]})


async def test_a_deleted_branch_and_a_stopped_service_deploy_nothing(control: Any, engine: Any, pushed: Pushed) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))
    await (await engine.take()).done()
    await (await engine.take()).done()
    await control.ended()
    await control.act("web", "stop")
    assert (await (await engine.take()).done()).kind == "stop"
    assert (await control.ended())["status"] == "STOPPED"
    await pushed(control.push("web", A, B))
    await eventually(lambda: _decision(control, "followed"))
    await pushed(control.push("web", B, NONE))
    await eventually(lambda: _decision(control, "deleted"))
    assert len(await control.deployments()) == 2
    assert await engine.nothing()


async def test_two_services_of_one_repository_are_deployed_together(control: Any, engine: Any, pushed: Pushed) -> None:
    web = await control.application("web")
    worker = await control.application("worker")
    async with control.app.pool.acquire() as connection:
        await connection.execute(
            "UPDATE services SET config = (SELECT config FROM services WHERE id = $1) WHERE id = $2", web, worker
        )
    await pushed(control.push("web", NONE, A))
    kinds = []
    for _ in range(4):
        kinds.append((await (await engine.take()).done()).kind)
    assert kinds == ["build", "build", "deploy", "deploy"]
    deployment = await control.ended()
    assert deployment["commits"] == {web: A, worker: A}


async def test_a_push_by_a_foreign_organizations_link_reaches_nobody_elses_service(
    control: Any, engine: Any, pushed: Pushed
) -> None:
    """The same repository, followed in another organization: what the message says of itself does not count."""
    web = await control.application("web")
    other = uuid7()
    async with control.app.work() as work:
        await work.organizations.add(other, "other", {})
        key_id, ciphertext = await control.app.encrypt(work, other, "x", "git_links/y")
    foreign = uuid7()
    async with control.app.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO git_links"
            " (id, organization_id, provider, repository, clone_url, data_key_id, secret_ciphertext)"
            " VALUES ($1, $2, 'github', 'shop/web', $3, $4, $5)",
            foreign,
            other,
            "http://localhost:8080/git/shop/web.git",
            key_id,
            ciphertext,
        )
    await pushed(control.push("web", NONE, A, link_id=foreign))
    await eventually(lambda: _decision(control, "not_followed"))
    assert await control.deployments() == []
    assert (await control.status("web"))["id"] == web


async def test_progress_is_told_on_the_way(control: Any, engine: Any, pushed: Pushed) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    await build.say(TaskState.STARTED)
    await build.say(TaskState.PROGRESS, percent=40, message="installs requirements")

    async def shown() -> bool:
        step = (await control.deployments())[0]["steps"][1]
        return step["state"] == "RUNNING" and step["percent"] == 40 and step["message"] == "installs requirements"

    await eventually(shown)
    assert (await control.deployments())[0]["status"] == "BUILDING"
