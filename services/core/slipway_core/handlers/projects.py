"""Projects."""

import re
import secrets
import unicodedata
from typing import Any

import msgspec

from slipway_contracts.access import Permission
from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core.api import answers, bodies
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of
from slipway_core.problems import InUse
from slipway_core.stores.projects import Project
from slipway_errors import Busy
from slipway_http import Call, etag, require_match

READ = Permission.READ


def slug(name: str, longest: int = 40) -> str:
    """A name as part of a host name or path: `Mein Café!` → `mein-cafe`. Never empty."""
    ascii = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii).strip("-")[:longest].rstrip("-") or "x"


async def all(app: Core, call: Call[None]) -> answers.ProjectResponseList:
    """The projects of an organization that the caller may see."""
    async with app.reading() as work:
        projects = await work.projects.all(call.place.organization_id)
    return answers.ProjectResponseList(results=[view(one) for one in projects if visible(call, one)])


def visible(call: Call[Any], project: Project) -> bool:
    """Custom roles see some projects only."""
    return call.caller.may(READ, Place(organization_id=project.organization_id, project_id=project.id))


async def create(app: Core, call: Call[bodies.ProjectRequest]) -> answers.Project:
    """A new project."""
    given = msgspec.to_builtins(call.body)
    name = given.pop("name")
    async with app.work(actor_of(call)) as work:
        id, organization = uuid7(), call.place.organization_id
        project = await work.projects.add(id, organization, name, await _free_slug(work, name), given)
        await work.changed(
            "project",
            "created",
            Place(organization_id=organization, project_id=id),
            id=id,
            name=name,
            after=audited(project),
        )
    return view(project)


async def _free_slug(work: Work, name: str) -> str:
    wanted = slug(name)
    for _ in range(8):
        if not await work.projects.slug_taken(wanted):
            return wanted
        wanted = f"{slug(name)}-{secrets.token_hex(3)}"
    raise Busy("No free name for its repositories was found: try again.")


async def get(app: Core, call: Call[None]) -> answers.Project:
    """One project."""
    async with app.reading() as work:
        project = found(await work.projects.get(call.place.project_id))
    call.response_headers["ETag"] = etag(project.version)
    return view(project)


async def edit(app: Core, call: Call[bodies.ProjectRequest]) -> answers.Project:
    """Rename or describe a project."""
    given = msgspec.to_builtins(call.body)
    name = given.pop("name")
    async with app.work(actor_of(call)) as work:
        before = found(await work.projects.get(call.place.project_id, lock=True))
        require_match(call, before.version)
        project = await work.projects.update(before.id, name, before.config | given)
        await work.changed(
            "project",
            "updated",
            call.place,
            id=project.id,
            name=name,
            version=project.version,
            before=audited(before),
            after=audited(project),
        )
    call.response_headers["ETag"] = etag(project.version)
    return view(project)


async def delete(app: Core, call: Call[None]) -> None:
    """Remove a project without environments."""
    async with app.work(actor_of(call)) as work:
        project = found(await work.projects.get(call.place.project_id, lock=True))
        if users := await work.projects.used_by(project.id):
            raise InUse(f"The project {project.name}", [msgspec.to_builtins(user) for user in users])
        await work.projects.delete(project.id)
        await work.changed(
            "project",
            "deleted",
            call.place,
            id=project.id,
            name=project.name,
            version=project.version + 1,
            before=audited(project),
        )


async def stats(app: Core, call: Call[None]) -> answers.ProjectStatsResponseList:
    """How many environments and services each project has."""
    async with app.reading() as work:
        counted = await work.projects.stats(call.place.organization_id)
    return answers.ProjectStatsResponseList(
        results=[
            answers.ProjectStats(
                id=one.project_id,
                service_total_number=float(one.services),
                environment_total_number=float(one.environments),
            )
            for one in counted
            if call.caller.may(READ, Place(organization_id=call.place.organization_id, project_id=one.project_id))
        ]
    )


def audited(project: Project) -> dict[str, Any]:
    return {"name": project.name, **project.config}


def view(project: Project) -> answers.Project:
    """As the public API shows it."""
    return msgspec.convert(
        {
            **project.config,
            "id": project.id,
            "created_at": project.created_at,
            "updated_at": project.updated_at,
            "name": project.name,
            "organization": {"id": project.organization_id},
            "associated_environments_count": project.environments,
        },
        answers.Project,
    )
