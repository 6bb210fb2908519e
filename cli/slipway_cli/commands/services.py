"""projects, services, open: what there is."""

import asyncio
import contextlib
import webbrowser
from contextlib import aclosing
from typing import Annotated, Any

from cyclopts import Parameter

from slipway_cli import context, names
from slipway_cli.api import Client
from slipway_cli.centrifugo import CaughtUp, Publication, Subscription
from slipway_cli.output import say, show_json, show_table
from slipway_cli.problems import CommandFailed

STATES_SECONDS = 5
AsJSON = Annotated[bool, Parameter(name="--json")]


async def projects(*, as_json: AsJSON = False) -> int:
    """List projects and their environments."""
    async with Client(context.current()) as client:
        organization = await names.organization_id(client)
        found = await client.results(f"/organization/{organization}/project")
        environments = await names.environments(client, organization)
    if as_json:
        own = [{**each, "environments": [e for e in environments if e["project_id"] == each["id"]]} for each in found]
        show_json(own)
        return 0
    rows = [
        {
            "project": project["name"],
            "environments": ", ".join(e["name"] for e in environments if e["project_id"] == project["id"]),
            "id": project["id"],
        }
        for project in found
    ]
    show_table(rows, ("project", "environments", "id"), empty="There are no projects yet.")
    return 0


async def services(project: str = "", *, as_json: AsJSON = False) -> int:
    """List services with what they do now, and where they answer.

    Parameters
    ----------
    project
        Only those of this project.
    """
    async with Client(context.current()) as client:
        found = await names.services(client, project)
        async with asyncio.TaskGroup() as group:
            states = group.create_task(_states(client, sorted({service.environment_id for service in found})))
            rows = [group.create_task(_row(client, service)) for service in found]
    listed = [row.result() | {"running": states.result().get(row.result()["id"], "")} for row in rows]
    if as_json:
        show_json(listed)
    else:
        columns = ("service", "project", "environment", "running", "deployment", "url")
        show_table(listed, columns, empty="There are no services yet.")
    return 0


async def _row(client: Client, service: names.Service) -> dict[str, Any]:
    status = await client.get(f"/application/{service.id}/status")
    return {
        "service": service.name,
        "project": service.project,
        "environment": service.environment,
        "running": "",
        "deployment": status.get("state") or "",
        "url": await link(client, service),
        "id": service.id,
    }


async def _states(client: Client, environments: list[str]) -> dict[str, str]:
    """What runs now, by service: the snapshot with which each environment's live channel begins."""
    found: dict[str, str] = {}
    with contextlib.suppress(TimeoutError, CommandFailed):
        async with asyncio.timeout(STATES_SECONDS):
            for environment in environments:
                found |= await _snapshot(client, environment)
    return found


async def _snapshot(client: Client, environment: str) -> dict[str, str]:
    found: dict[str, str] = {}
    async with aclosing(Subscription(client, f"states:{environment}").follow()) as stream:
        async for news in stream:
            if isinstance(news, CaughtUp):
                break
            if isinstance(news, Publication) and not news.data.get("deleted"):
                found[news.data["service_id"]] = news.data["state"]
    return found


async def link(client: Client, service: names.Service) -> str:
    """Where the service answers; empty when it is not public."""
    links = await client.results(f"/application/{service.id}/link")
    return str(links[0]["url"]) if links else ""


async def open_service(service: str = "", *, print_only: bool = False, as_json: AsJSON = False) -> int:
    """Open a service, or the console, in the browser.

    Parameters
    ----------
    service
        Name, path or id; empty: the console.
    print_only
        Print the address instead.
    """
    async with Client(context.current()) as client:
        url = await link(client, await names.find_service(client, service)) if service else client.context.url
    if not url:
        raise CommandFailed(f"{service} has no public port: give it one, then deploy it.", "not_found", 5)
    if as_json:
        show_json({"url": url})
    elif print_only or not await asyncio.to_thread(webbrowser.open, url):
        print(url)
    else:
        say(f"  {url}")
    return 0
