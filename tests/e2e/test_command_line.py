"""The everyday verbs of the command line, against a running platform."""

import json
import stat
from pathlib import Path

from slipway_testing import applications
from slipway_testing.platform import Application, Environment, Platform, until


async def running(environment: Environment, work: Path) -> Application:
    web = await environment.application("web", applications.web("one"), work)
    assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
    return web


async def test_a_variable_is_set_and_a_deployment_watched_until_it_serves(environment: Environment, work: Path) -> None:
    platform, web = environment.platform, await running(environment, work)
    path = f"{environment.project}/web"
    assert (await platform.cli("env", "set", path, "COLOUR=green & blue")).code == 0
    secret = await platform.cli("env", "set", path, "PASSWORD", "--secret", stdin="tr0ub4dor\n")
    assert "tr0ub4dor" not in secret.out + secret.err
    watched = await platform.cli("deploy", path, "--watch")
    assert "✓" in watched.err
    assert "DEPLOYED" in watched.err
    assert await web.page("/env?name=COLOUR") == (200, "green & blue")
    assert await web.page("/env?name=PASSWORD") == (200, "tr0ub4dor")
    listed = await platform.cli("env", "list", path)
    assert "green & blue" in listed.out
    assert "tr0ub4dor" not in listed.out


async def test_a_failed_deployment_ends_the_watch_with_1_and_the_reason(environment: Environment, work: Path) -> None:
    platform, web = environment.platform, await running(environment, work)
    web.write(applications.EXITS_AT_ONCE)
    await web.deployed(await web.push())
    watched = await platform.cli("deploy", web.id, "--watch", check=False)
    assert watched.code == 1
    assert "✗" in watched.err
    assert "DATABASE_URL" in watched.err
    assert await web.page() == (200, "one")


async def test_lists_are_json_for_scripts_and_names_find_services(environment: Environment, work: Path) -> None:
    platform, web = environment.platform, await running(environment, work)

    async def listed() -> list[dict[str, str]]:
        rows: list[dict[str, str]] = json.loads((await platform.cli("services", environment.project, "--json")).out)
        return rows if rows[0]["running"] == "RUNNING" else []

    [row] = await until(listed, 20, "the service as running")
    assert (row["id"], row["deployment"]) == (web.id, "DEPLOYED")
    projects = json.loads((await platform.cli("projects", "--json")).out)
    assert environment.project in [project["name"] for project in projects]
    address = (await platform.cli("open", f"{environment.project}/production/web", "--print-only")).out.strip()
    assert address == row["url"]
    logged = await platform.cli("logs", web.id)
    assert "listening: one" in logged.out
    missing = await platform.cli("logs", f"{environment.project}/nothing", check=False)
    assert (missing.code, "web" in missing.err) == (5, True)


async def test_a_command_beside_the_service_has_its_input_output_and_exit_code(
    environment: Environment, work: Path
) -> None:
    platform, web = environment.platform, await running(environment, work)
    piped = await platform.cli("shell", web.id, "--", "cat", stdin="through and back")
    assert piped.out == "through and back"
    failed = await platform.cli("shell", web.id, "--", "sh", "-c", "echo wrong >&2; exit 9", check=False)
    assert failed.code == 9
    assert "wrong" in failed.err
    assert "wrong" not in failed.out


async def test_a_login_is_kept_for_us_alone_and_forgotten(slipway: Platform) -> None:
    login = json.loads((await slipway.cli("status", "--login", "--json")).out)["login"]
    wrong = await slipway.cli("login", "--email", login["email"], stdin="guess\n", check=False)
    assert wrong.code == 3
    await slipway.cli("login", "--email", login["email"], stdin=login["password"] + "\n")
    kept = slipway.home / "context.json"
    try:
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert login["password"] not in kept.read_text()
        assert (await slipway.cli("projects")).code == 0
    finally:
        await slipway.cli("logout")
    assert not kept.exists()


async def test_nothing_was_given_up_and_asking_for_it_says_so(slipway: Platform) -> None:
    replay = await slipway.cli("dead", "replay", "999999999", check=False)
    assert replay.code == 5
    assert isinstance(json.loads((await slipway.cli("dead", "list", "--json")).out), list)
