"""From a push to a page: what the newcomer does, with the real git and HTTP."""

from pathlib import Path

from slipway_testing import applications
from slipway_testing.platform import Environment


async def test_a_push_is_served_and_a_second_push_replaces_it(environment: Environment, work: Path) -> None:
    web = await environment.application("web", applications.web("first"), work)
    deployment = await web.deployed(await web.push())
    assert deployment["status"] == "DEPLOYED", deployment
    assert await web.page() == (200, "first")

    web.write(applications.web("second"))
    deployment = await web.deployed(await web.push())
    assert deployment["status"] == "DEPLOYED", deployment
    assert await web.page() == (200, "second")


async def test_a_push_that_does_not_start_says_why_and_leaves_the_old_page(
    environment: Environment, work: Path
) -> None:
    web = await environment.application("web", applications.web("good"), work)
    await web.deployed(await web.push())

    web.write(applications.EXITS_AT_ONCE)
    deployment = await web.deployed(await web.push())
    assert deployment["status"] == "DEPLOYMENT_ERROR"
    assert "web" in deployment["reason"]
    failed = next(step for step in deployment["steps"] if step["state"] == "FAILED")
    assert "3" in failed["message"]
    assert "DATABASE_URL is not set" in failed["details"]
    assert await web.page() == (200, "good")


async def test_a_static_site_is_served(environment: Environment, work: Path) -> None:
    site = await environment.application("site", applications.static("hello, static"), work)
    deployment = await site.deployed(await site.push())
    assert deployment["status"] == "DEPLOYED", deployment
    status, body = await site.page()
    assert status == 200
    assert "hello, static" in body


async def test_variables_reach_the_service_and_secrets_stay_out_of_answers(
    environment: Environment, work: Path
) -> None:
    web = await environment.application("web", applications.web("env"), work)
    api = environment.platform.api
    await api("POST", f"/application/{web.id}/environmentVariable", {"key": "COLOUR", "value": "green"})
    await api("POST", f"/application/{web.id}/secret", {"key": "PASSWORD", "value": "tr0ub4dor&3"})
    await web.deployed(await web.push())
    assert await web.page("/env?name=COLOUR") == (200, "green")
    assert await web.page("/env?name=PASSWORD") == (200, "tr0ub4dor&3")
    listed = await api("GET", f"/application/{web.id}/secret")
    assert "tr0ub4dor" not in str(listed)
