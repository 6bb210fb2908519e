"""Invitations: for one person, for a week, never above who invites.

Who has an account accepts by being logged in under the invited address; who has none proves by the link's token (which
only the inviter was shown) that it reached them, and chooses a password.
"""

import asyncio
import hmac
import re
import secrets
from datetime import timedelta
from typing import Any

import msgspec

from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core import roles
from slipway_core.api import answers, bodies
from slipway_core.api.forms import Body, Limited, Name
from slipway_core.app import Actor, Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.handlers import sessions
from slipway_core.handlers.members import known_role
from slipway_core.problems import AboveYourself, PasswordsOff, wrong
from slipway_core.stores.invitations import Invitation
from slipway_errors import Conflict, Forbidden, NotFound
from slipway_http import Call
from slipway_security.passwords import hash_password
from slipway_security.tokens import token_hash

GOOD_FOR = timedelta(days=7)
EMAIL = re.compile(r"[^@\s<>\"',;:\\()\[\]]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
SHORTEST_PASSWORD = 10


class InvitationVoid(Conflict):
    """The invitation is no longer good."""

    code = "invitation.void"


class SignUp(Body, frozen=True, kw_only=True):
    """What somebody new brings: the token of the link, and a password of their choice."""

    token: Limited
    password: Limited
    name: Name = "x"


async def all(app: Core, call: Call[None]) -> answers.InviteMemberResponseList:
    """Who is invited."""
    async with app.reading() as work:
        listed = await work.invitations.all(call.place.organization_id)
        names = {one.id: one.name for one in await work.roles.all(call.place.organization_id)}
    shown = [_view(app, one, names.get(one.role, "")) for one in listed]
    return answers.InviteMemberResponseList(results=shown)


async def invite(app: Core, call: Call[bodies.InviteMemberRequest]) -> answers.InviteMember:
    """Invite somebody. The link in this answer, and in no later one, holds the token for those without an account."""
    given = msgspec.to_builtins(call.body)
    email, organization = given["email"].strip(), call.place.organization_id
    if not EMAIL.fullmatch(email):
        raise wrong(("$.email", "is no e-mail address"))
    if call.caller.kind != "user":
        raise Forbidden("An API token can't invite people: log in for this.")
    role_id = given.get("role_id") or roles.IDS[OLD_NAMES[given.get("role", "VIEWER")]]
    token, id = secrets.token_urlsafe(24), uuid7()
    async with app.work(actor_of(call)) as work:
        role, role_name = await known_role(work, organization, role_id, "$.role_id")
        if role == "owner" or not roles.may_give(call.caller.grants, organization, role):
            raise AboveYourself("Nobody can invite above themselves, nor another owner.")
        if any(member.email.lower() == email.lower() for member in await work.members.all(organization)):
            raise Conflict(f"{email} is a member already.", field="email")
        expires_at = work.now + GOOD_FOR
        await work.invitations.add(id, organization, email, role, token_hash(token), call.caller.id, expires_at)
        invitation = found(await work.invitations.get(organization, id))
        await _say(work, invitation, "created", call.place)
    shown = _view(app, invitation, role_name)
    return msgspec.structs.replace(shown, invitation_link=f"{shown.invitation_link}#token={token}")


OLD_NAMES = {name: role for role, name in roles.INVITED_AS.items()}


async def get(app: Core, call: Call[None]) -> answers.InviteMember:
    """One invitation: for members of the organization, and for who is invited."""
    async with app.reading() as work:
        invitation = await _visible(work, call)
        names = {one.id: one.name for one in await work.roles.all(invitation.organization_id)}
    return _view(app, invitation, names.get(invitation.role, ""))


async def _visible(work: Work, call: Call[Any], lock: bool = False) -> Invitation:
    organization = id_in(call, "organizationId")
    invitation = found(await work.invitations.get(organization, id_in(call, "inviteId"), lock))
    mine = call.caller.kind == "user" and call.caller.name.lower() == invitation.email.lower()
    if not mine and not roles.permissions_in(call.caller.grants, organization):
        raise NotFound
    return invitation


async def delete(app: Core, call: Call[None]) -> None:
    """Take an invitation back."""
    async with app.work(actor_of(call)) as work:
        invitation = found(await work.invitations.get(call.place.organization_id, id_in(call, "inviteId"), lock=True))
        await work.invitations.delete(invitation.id)
        await _say(work, invitation, "deleted", call.place)


async def accept(app: Core, call: Call[None]) -> answers.InviteMember:
    """Become a member; only who is invited can."""
    async with app.work(actor_of(call)) as work:
        invitation = await _visible(work, call, lock=True)
        if call.caller.kind != "user" or call.caller.name.lower() != invitation.email.lower():
            raise Forbidden("This invitation is for somebody else.")
        role_name = await _join(work, invitation, call.caller.id)
    return _view(app, invitation, role_name)


async def sign_up(app: Core, call: Call[SignUp]) -> sessions.LoggedIn:
    """Make an account for the invited address, and become a member."""
    if not app.settings.password_login:
        raise PasswordsOff
    app.tries.by_address.take(call.address)
    if len(call.body.password) < SHORTEST_PASSWORD:
        raise wrong(("$.password", f"needs at least {SHORTEST_PASSWORD} characters"))
    async with app.reading() as work:
        await _proven(work, call)
    hashed = await asyncio.to_thread(hash_password, call.body.password)
    async with app.work(Actor(address=call.address, request_id=call.request_id, origin="CONSOLE")) as work:
        invitation = await _proven(work, call, lock=True)
        if await work.users.by_email(invitation.email) is not None:
            raise Conflict("There is an account with this address: log in and accept the invitation.")
        name = {} if call.body.name == "x" else {"name": call.body.name}
        user = await work.users.add(uuid7(), invitation.email, hashed, name)
        work.actor = Actor(id=user.id, kind="user", name=user.email, address=call.address, origin="CONSOLE")
        await _join(work, invitation, user.id)
    return sessions.logged_in(app, call, user)


async def _proven(work: Work, call: Call[SignUp], lock: bool = False) -> Invitation:
    """The invitation, if the token is its own; otherwise nothing is told."""
    invitation = await work.invitations.get(id_in(call, "organizationId"), id_in(call, "inviteId"), lock)
    known = invitation.token_hash if invitation else ""
    if invitation is None or not hmac.compare_digest(known, token_hash(call.body.token)):
        raise NotFound("There is no such invitation.")
    return invitation


async def _join(work: Work, invitation: Invitation, user_id: str) -> str:
    """Make somebody a member as they were invited, if the one who invited could still do it."""
    if invitation.expires_at <= work.now:
        raise InvitationVoid("The invitation has expired: ask for a new one.")
    organization = invitation.organization_id
    inviter = await work.members.lock(organization, invitation.inviter_id) if invitation.inviter_id else None
    grants = [roles.grant(organization, inviter.role, {})] if inviter else []
    if not roles.may_give(grants, organization, invitation.role):
        raise InvitationVoid("Who invited you may no longer do so: ask for a new invitation.")
    role, role_name = await known_role(work, organization, roles.id_of(invitation.role), "$.role_id")
    if await work.members.lock(organization, user_id) is not None:
        raise Conflict("You are a member already.")
    await work.members.put(organization, user_id, role)
    await work.invitations.delete(invitation.id)
    await work.copies.add("access", [f"user.{user_id}"])
    await _say(work, invitation, "updated", Place(organization_id=organization), "ACCEPT")
    return role_name


async def _say(work: Work, invitation: Invitation, verb: str, place: Place, event_type: str = "") -> None:
    told = {"email": invitation.email, "role": roles.NAMES.get(invitation.role, invitation.role)}
    await work.changed(
        "invitation",
        verb,
        place,
        id=invitation.id,
        name=invitation.email,
        before=told if verb == "deleted" else None,
        after=None if verb == "deleted" else told,
        target="MEMBERS_AND_ROLES",
        sub_target="INVITATION",
        event_type=event_type,
    )


def _view(app: Core, invitation: Invitation, custom_role: str) -> answers.InviteMember:
    link = f"{app.settings.public_url.rstrip('/')}/invitation/{invitation.organization_id}/{invitation.id}"
    shown = {
        "id": invitation.id,
        "created_at": invitation.created_at,
        "updated_at": invitation.updated_at,
        "email": invitation.email,
        "role": roles.INVITED_AS.get(invitation.role, "VIEWER"),
        "invitation_link": link,
        "invitation_status": "PENDING" if invitation.expires_at > app.clock() else "EXPIRED",
        "organization_name": invitation.organization_name,
        "inviter": invitation.inviter,
        "role_id": roles.id_of(invitation.role),
        "role_name": roles.NAMES.get(invitation.role) or custom_role,
    }
    return msgspec.convert(shown, answers.InviteMember)
