"""Who belongs to an organization, in which role. Nobody gives or takes more than they have."""

from typing import Any

import msgspec

from slipway_contracts.base import uuid7
from slipway_core import roles
from slipway_core.api import answers, bodies
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.problems import AboveYourself, InUse, wrong
from slipway_core.stores.organizations import Member
from slipway_core.stores.roles import Role
from slipway_errors import Conflict
from slipway_http import Call
from slipway_http.routing import UUID


async def available_roles(app: Core, call: Call[None]) -> answers.OrganizationAvailableRoleList:
    """Built-in and custom roles."""
    async with app.reading() as work:
        custom = await work.roles.all(call.place.organization_id)
    listed = [(roles.IDS[role], name) for role, name in roles.NAMES.items()] + [(one.id, one.name) for one in custom]
    return answers.OrganizationAvailableRoleList(
        results=[answers.OrganizationAvailableRole(id=id, name=name) for id, name in listed]
    )


async def all(app: Core, call: Call[None]) -> answers.MemberResponseList:
    """The members."""
    async with app.reading() as work:
        members = await work.members.all(call.place.organization_id)
        custom = {one.id: one.name for one in await work.roles.all(call.place.organization_id)}
    return answers.MemberResponseList(results=[_view(member, custom) for member in members])


def _view(member: Member, custom: dict[str, str]) -> answers.Member:
    invited_as = roles.INVITED_AS.get(member.role)
    name = str(member.config.get("name") or member.email.partition("@")[0])
    shown = {
        "id": member.user_id,
        "created_at": member.created_at,
        "updated_at": member.updated_at,
        "name": name,
        "nickname": name,
        "email": member.email,
        "role_name": roles.NAMES.get(member.role) or custom.get(member.role, ""),
        "role_id": roles.id_of(member.role),
        **({"role": invited_as} if invited_as else {}),
    }
    return msgspec.convert(shown, answers.Member)


async def known_role(work: Work, organization_id: str, role_id: str, path: str) -> tuple[str, str]:
    """The stored form and the name of a role of this organization; refused when there is none."""
    role = roles.role_of(role_id)
    if role in roles.NAMES:
        return role, roles.NAMES[role]
    custom = await work.roles.lock(role, organization_id)
    if custom is None:
        raise wrong((path, "there is no such role in this organization"))
    return role, custom.name


async def edit_role(app: Core, call: Call[bodies.MemberRoleUpdateRequest]) -> None:
    """Give a member another role; it is in force within two seconds."""
    organization = call.place.organization_id
    async with app.work(actor_of(call)) as work:
        member = await work.members.lock(organization, _id(call.body.user_id))
        if member is None:
            raise wrong(("$.user_id", "is not a member"))
        role, name = await known_role(work, organization, call.body.role_id, "$.role_id")
        _check(call, member.role, role)
        await work.members.set_role(organization, member.user_id, role)
        await _changed(work, call, member, role, name)


async def remove(app: Core, call: Call[bodies.DeleteMemberBody]) -> None:
    """Take somebody out of the organization. API tokens that they made end with it."""
    organization = call.place.organization_id
    async with app.work(actor_of(call)) as work:
        member = await work.members.lock(organization, _id(call.body.user_id))
        if member is None:
            raise wrong(("$.user_id", "is not a member"))
        _check(call, member.role, None)
        await work.members.remove(organization, member.user_id)
        await _changed(work, call, member, None, "")


def _id(text: str) -> str:
    """A user id from a body, whose form the reference leaves open."""
    if not UUID.fullmatch(text):
        raise wrong(("$.user_id", "is not a member"))
    return text.lower()


def _check(
    call: Call[bodies.MemberRoleUpdateRequest] | Call[bodies.DeleteMemberBody], old: str, new: str | None
) -> None:
    organization, grants = call.place.organization_id, call.caller.grants
    if old == "owner":
        raise Conflict("The owner stays owner until the ownership is handed over.", code_hint="transferOwnership")
    if new == "owner":
        raise Conflict("Hand the ownership over instead (transferOwnership).")
    if not roles.may_give(grants, organization, old) or (new and not roles.may_give(grants, organization, new)):
        raise AboveYourself("Nobody can give or take a role above their own.")


async def _changed(
    work: Work,
    call: Call[Any],
    member: Member,
    role: str | None,
    role_name: str,
) -> None:
    """Say it, and end the API tokens that would now be more than the one who made them."""
    organization = call.place.organization_id
    await work.copies.add("access", [f"user.{member.user_id}"])
    for token in await work.api_tokens.all(organization):
        if token.created_by == member.user_id and roles.exceeds(token.role, role):
            await work.api_tokens.delete(token.id, organization)
            await work.copies.add("access", [f"token.{token.hash}"])
            await work.changed(
                "token",
                "deleted",
                call.place,
                id=token.id,
                name=token.name,
                before={"name": token.name, "role": token.role},
                target="ORGANIZATION",
                sub_target="API_TOKEN",
            )
    await work.changed(
        "member",
        "updated" if role else "deleted",
        call.place,
        id=member.user_id,
        name=member.email,
        before={"role": member.role},
        after={"role": role, "role_name": role_name} if role else None,
        target="MEMBERS_AND_ROLES",
        sub_target="MEMBER_ROLE",
    )


async def transfer_ownership(app: Core, call: Call[bodies.TransferOwnershipRequest]) -> None:
    """Make another member the owner; the one who was becomes an administrator."""
    organization = call.place.organization_id
    async with app.work(actor_of(call)) as work:
        await work.organizations.get(organization, lock=True)
        heir = await work.members.lock(organization, call.body.user_id.lower())
        if heir is None:
            raise wrong(("$.user_id", "is not a member"))
        if heir.role == "owner":
            raise Conflict("They own it already.")
        for member in await work.members.all(organization):
            if member.role == "owner":
                await work.members.set_role(organization, member.user_id, "admin")
                await work.copies.add("access", [f"user.{member.user_id}"])
        await work.members.set_role(organization, heir.user_id, "owner")
        await work.copies.add("access", [f"user.{heir.user_id}"])
        await work.changed(
            "member",
            "updated",
            call.place,
            id=heir.user_id,
            name=heir.email,
            before={"role": heir.role},
            after={"role": "owner"},
            target="ORGANIZATION",
            sub_target="TRANSFER_OWNERSHIP",
        )


async def custom_roles(app: Core, call: Call[None]) -> answers.OrganizationCustomRoleList:
    """The custom roles."""
    async with app.reading() as work:
        names = await _names(work, call.place.organization_id)
        found_roles = await work.roles.all(call.place.organization_id)
    return answers.OrganizationCustomRoleList(results=[_role_view(role, names) for role in found_roles])


async def _names(work: Work, organization_id: str) -> dict[str, str]:
    clusters = {one.id: one.name for one in await work.clusters.all(organization_id)}
    return clusters | {one.id: one.name for one in await work.projects.all(organization_id)}


def _role_view(role: Role, names: dict[str, str]) -> answers.OrganizationCustomRole:
    clusters = [
        {**one, "cluster_name": names[one["cluster_id"]]}
        for one in role.config.get("cluster_permissions", [])
        if one.get("cluster_id") in names
    ]
    projects = [
        {**one, "project_name": names[one["project_id"]]}
        for one in role.config.get("project_permissions", [])
        if one.get("project_id") in names
    ]
    shown = {
        "id": role.id,
        "name": role.name,
        "description": role.config.get("description", ""),
        "cluster_permissions": clusters,
        "project_permissions": projects,
    }
    return msgspec.convert(shown, answers.OrganizationCustomRole)


async def create_custom_role(
    app: Core, call: Call[bodies.OrganizationCustomRoleCreateRequest]
) -> answers.OrganizationCustomRole:
    """A new role; it allows nothing until its permissions are stated."""
    given = msgspec.to_builtins(call.body)
    name = given.pop("name")
    async with app.work(actor_of(call)) as work:
        role = await work.roles.add(uuid7(), call.place.organization_id, name, given)
        await _role_changed(work, call, "created", role, after=role)
    return _role_view(role, {})


async def custom_role(app: Core, call: Call[None]) -> answers.OrganizationCustomRole:
    """One custom role."""
    async with app.work() as work:
        role = found(await work.roles.lock(id_in(call, "customRoleId"), call.place.organization_id))
        return _role_view(role, await _names(work, call.place.organization_id))


async def edit_custom_role(
    app: Core, call: Call[bodies.OrganizationCustomRoleUpdateRequest]
) -> answers.OrganizationCustomRole:
    """State what a role allows; in force within two seconds for all who have it."""
    given = msgspec.to_builtins(call.body)
    name = given.pop("name")
    async with app.work(actor_of(call)) as work:
        before = found(await work.roles.lock(id_in(call, "customRoleId"), call.place.organization_id))
        names = await _names(work, call.place.organization_id)
        _check_known(given, names)
        role = await work.roles.update(before.id, name, given)
        await work.copies.of_role(call.place.organization_id, role.id)
        await _role_changed(work, call, "updated", role, before, role)
    return _role_view(role, names)


def _check_known(given: dict[str, list[dict[str, str]]], names: dict[str, str]) -> None:
    unknown = [
        (f"$.{part}[{n}].{key}", "is not in this organization")
        for part, key in (("cluster_permissions", "cluster_id"), ("project_permissions", "project_id"))
        for n, one in enumerate(given.get(part, []))
        if one.get(key) not in names
    ]
    if unknown:
        raise wrong(*unknown)


async def delete_custom_role(app: Core, call: Call[None]) -> None:
    """Remove a role that nobody has."""
    async with app.work(actor_of(call)) as work:
        role = found(await work.roles.lock(id_in(call, "customRoleId"), call.place.organization_id))
        if users := await work.roles.used_by(call.place.organization_id, role.id):
            raise InUse(f"The role {role.name}", [msgspec.to_builtins(user) for user in users])
        await work.roles.delete(role.id)
        await _role_changed(work, call, "deleted", role, before=role)


async def _role_changed(
    work: Work,
    call: Call[Any],
    verb: str,
    role: Role,
    before: Role | None = None,
    after: Role | None = None,
) -> None:
    await work.changed(
        "role",
        verb,
        call.place,
        id=role.id,
        name=role.name,
        version=role.version,
        before={"name": before.name, **before.config} if before else None,
        after={"name": after.name, **after.config} if after else None,
        target="MEMBERS_AND_ROLES",
        sub_target="CUSTOM_ROLE",
    )
