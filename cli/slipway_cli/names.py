"""Find what the user means by a name or an id: `web`, `demo/production/web`, or the id itself."""

import re
from dataclasses import dataclass
from typing import Any

from slipway_cli.api import Client
from slipway_cli.problems import CommandFailed

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Service:
    """A service and where it stands."""

    id: str
    name: str
    project: str
    environment: str
    environment_id: str
    organization_id: str
    cluster_id: str = ""

    @property
    def path(self) -> str:
        return f"{self.project}/{self.environment}/{self.name}"


async def organization_id(client: Client) -> str:
    """The organization of this login; the first one when there are several."""
    found = await client.results("/organization")
    if not found:
        raise CommandFailed("This login belongs to no organization: ask for an invitation.", "not_found", 5)
    return str(found[0]["id"])


async def environments(client: Client, organization: str) -> list[dict[str, Any]]:
    """Every environment, with its project's name and id."""
    every = []
    for project in await client.results(f"/organization/{organization}/project"):
        for environment in await client.results(f"/project/{project['id']}/environment"):
            every.append({**environment, "project": project["name"], "project_id": project["id"]})
    return every


async def services(client: Client, project: str = "") -> list[Service]:
    """Every service of the organization, or of one project."""
    organization = await organization_id(client)
    found = []
    for environment in await environments(client, organization):
        if project and project not in (environment["project"], environment["project_id"]):
            continue
        for service in await client.results(f"/environment/{environment['id']}/application"):
            found.append(
                Service(
                    id=service["id"],
                    name=service["name"],
                    project=environment["project"],
                    environment=environment["name"],
                    environment_id=environment["id"],
                    organization_id=organization,
                    cluster_id=environment.get("cluster_id", ""),
                )
            )
    return found


async def find_service(client: Client, name: str) -> Service:
    """The one service of this name, path or id."""
    every = await services(client)
    wanted = [service for service in every if _is_called(service, name)]
    if len(wanted) == 1:
        return wanted[0]
    if wanted:
        paths = ", ".join(service.path for service in wanted)
        raise CommandFailed(f"{name!r} could be {paths}: name one of these.", "name.ambiguous", 2)
    near = ", ".join(service.path for service in every[:8]) or "there are none yet"
    raise CommandFailed(f"There is no service {name!r} ({near}).", "not_found", 5)


def _is_called(service: Service, name: str) -> bool:
    if ID.fullmatch(name):
        return service.id == name
    parts = name.strip("/").split("/")
    full = [service.project, service.environment, service.name]
    short = [service.project, service.name]
    return parts in (full, short, [service.name])
