"""Organizations: the outermost room. Whoever makes one owns it."""

from typing import Any

import msgspec

from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core.api import answers, bodies
from slipway_core.app import Core, found
from slipway_core.callers import actor_of
from slipway_core.problems import InUse
from slipway_core.stores.organizations import Organization
from slipway_errors import Forbidden
from slipway_http import Call, etag, require_match


async def all(app: Core, call: Call[None]) -> answers.OrganizationResponseList:
    """The organizations of the one who asks."""
    ids = [grant.organization_id for grant in call.caller.grants]
    async with app.reading() as work:
        return answers.OrganizationResponseList(results=[view(one) for one in await work.organizations.all(ids)])


async def create(app: Core, call: Call[bodies.OrganizationRequest]) -> answers.Organization:
    """A new organization, owned by the one who asks."""
    if call.caller.kind != "user":
        raise Forbidden("An API token belongs to its organization: log in to make another one.")
    name, config = _fields(call.body)
    async with app.work(actor_of(call)) as work:
        id = uuid7()
        await work.organizations.add(id, name, config)
        await work.members.put(id, call.caller.id, "owner")
        await work.copies.add("access", [f"user.{call.caller.id}"])
        organization = found(await work.organizations.get(id))
        place = Place(organization_id=id)
        await work.changed("organization", "created", place, id=id, name=name, after=audited(organization))
    return view(organization)


async def get(app: Core, call: Call[None]) -> answers.Organization:
    """One organization."""
    async with app.reading() as work:
        organization = found(await work.organizations.get(call.place.organization_id))
    call.response_headers["ETag"] = etag(organization.version)
    return view(organization)


async def edit(app: Core, call: Call[bodies.OrganizationEditRequest]) -> answers.Organization:
    """Change what an organization says of itself."""
    name, given = _fields(call.body)
    async with app.work(actor_of(call)) as work:
        before = found(await work.organizations.get(call.place.organization_id, lock=True))
        require_match(call, before.version)
        await work.organizations.update(before.id, name, before.config | given)
        after = found(await work.organizations.get(before.id))
        await work.changed(
            "organization",
            "updated",
            call.place,
            id=after.id,
            name=name,
            version=after.version,
            before=audited(before),
            after=audited(after),
        )
    call.response_headers["ETag"] = etag(after.version)
    return view(after)


async def delete(app: Core, call: Call[None]) -> None:
    """Remove an empty organization, with its members, roles and tokens."""
    async with app.work(actor_of(call)) as work:
        before = found(await work.organizations.get(call.place.organization_id, lock=True))
        if users := await work.organizations.used_by(before.id):
            raise InUse("The organization", [msgspec.to_builtins(user) for user in users])
        await work.copies.of_organization(before.id)
        await work.changed(
            "organization",
            "deleted",
            call.place,
            id=before.id,
            name=before.name,
            version=before.version + 1,
            before=audited(before),
        )
        await work.organizations.delete(before.id)


def _fields(body: bodies.OrganizationRequest | bodies.OrganizationEditRequest) -> tuple[str, dict[str, Any]]:
    given = msgspec.to_builtins(body)
    return given.pop("name"), given


def audited(organization: Organization) -> dict[str, Any]:
    return {"name": organization.name, **organization.config}


def view(organization: Organization) -> answers.Organization:
    """As the public API shows it."""
    plan = organization.config.get("plan", "FREE")
    return msgspec.convert(
        {
            **organization.config,
            "id": organization.id,
            "created_at": organization.created_at,
            "updated_at": organization.updated_at,
            "name": organization.name,
            "plan": plan,
            "organization_plan": {"plan": plan},
            **({"owner": organization.owner_id} if organization.owner_id else {}),
        },
        answers.Organization,
    )
