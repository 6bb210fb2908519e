"""Bad input ends in a clear sentence at the place where the user looks, and the platform goes on."""

from pathlib import Path

import pytest

from slipway_testing import applications
from slipway_testing.platform import Environment, Platform, git


def failed_step(deployment: dict) -> dict:
    return next(step for step in deployment["steps"] if step["state"] == "FAILED")


async def test_a_repository_without_anything_runnable_lists_what_was_looked_for(
    environment: Environment, work: Path
) -> None:
    nothing = await environment.application("nothing", {"notes.txt": "no program here\n"}, work)
    deployment = await nothing.deployed(await nothing.push())
    assert deployment["status"] == "BUILD_ERROR"
    step = failed_step(deployment)
    assert step["code"] == "build.no_plan"
    assert "Procfile" in step["message"] + step["details"]
    assert "package.json" in step["message"] + step["details"]


async def test_an_application_that_never_listens_is_given_up_with_that_reason(
    environment: Environment, work: Path
) -> None:
    fields = {"advanced_settings": {}}
    del fields["advanced_settings"]
    silent = await environment.application("silent", applications.NEVER_LISTENS, work, **fields)
    deployment = await silent.deployed(await silent.push(), timeout_seconds=150)
    assert deployment["status"] == "DEPLOYMENT_ERROR"
    step = failed_step(deployment)
    assert step["code"] == "start.never_listened"
    assert "thinking about it" in step["details"]


async def test_an_application_that_floods_its_log_keeps_serving_and_fills_no_disk(
    environment: Environment, work: Path
) -> None:
    flood = await environment.application("flood", applications.FLOODS, work)
    deployment = await flood.deployed(await flood.push())
    assert deployment["status"] == "DEPLOYED", deployment
    try:
        assert await flood.page() == (200, "still here")
        calm = await environment.application("calm", applications.web("calm"), work)
        assert (await calm.deployed(await calm.push()))["status"] == "DEPLOYED"
        logs = environment.platform.home.rglob(f"{flood.id}/logs/**/*.log*")
        assert sum(path.stat().st_size for path in logs if path.is_file()) < 200 * 1024 * 1024
    finally:
        await environment.platform.api("POST", f"/application/{flood.id}/stop")


async def test_a_wrong_token_can_neither_read_nor_push(environment: Environment, work: Path) -> None:
    web = await environment.application("web", applications.web("mine"), work)
    remote = f"http://slipway:slw_wrong@localhost:{environment.platform.port}/git/{environment.project}/web.git"
    await git(web.directory, "add", "-A")
    await git(web.directory, "commit", "-q", "-m", "x")
    pushed = await git(web.directory, "push", remote, "main", check=False)
    assert pushed.code != 0
    assert "Authentication failed" in pushed.err
    async with environment.platform.session.get(
        f"http://127.0.0.1:{environment.platform.port}/api/application/{web.id}",
        headers={"Authorization": "Token slw_wrong"},
    ) as answer:
        assert answer.status == 401
        assert (await answer.json())["code"] == "auth.required"


async def test_an_unknown_repository_is_refused(slipway: Platform, tmp_path: Path) -> None:
    await git(tmp_path, "init", "-q", "-b", "main")
    await git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    pushed = await git(
        tmp_path,
        "push",
        f"http://slipway:{slipway.token}@localhost:{slipway.port}/git/no/such.git",
        "main",
        check=False,
    )
    assert pushed.code != 0
    assert "not found" in pushed.err


async def test_a_branch_that_nobody_follows_deploys_nothing(environment: Environment, work: Path) -> None:
    web = await environment.application("web", applications.web("main"), work)
    await web.deployed(await web.push())
    before = len(await web.deployments())
    await git(web.directory, "checkout", "-q", "-b", "experiment")
    await git(web.directory, "commit", "-q", "--allow-empty", "-m", "try")
    await git(web.directory, "push", "-q", "slipway", "experiment")
    await git(web.directory, "checkout", "-q", "main")
    # The next push of the followed branch is handled after the other one: when it is there, the other has been decided.
    await web.deployed(await web.push())
    assert len(await web.deployments()) == before + 1


@pytest.mark.parametrize(
    "name", ["$(touch pwned)", "a; touch pwned", "--upload-pack=touch pwned", "a\nb", "../../etc", "‮txt", "a" * 300]
)
async def test_names_from_users_never_reach_a_shell(environment: Environment, name: str) -> None:
    body = {
        "name": name,
        "git_repository": {"url": "https://example.org/x.git", "branch": "main", "provider": "GITHUB"},
        "healthchecks": {},
    }
    async with environment.platform.session.post(
        f"http://127.0.0.1:{environment.platform.port}/api/environment/{environment.id}/application",
        json=body,
        headers={"Authorization": f"Token {environment.platform.token}"},
    ) as answer:
        # Either refused with the field's path, or taken as the plain text that it is.
        assert answer.status in (201, 422), await answer.text()
        if answer.status == 422:
            assert "name" in str((await answer.json())["errors"])
    assert not list(environment.platform.home.rglob("pwned"))
