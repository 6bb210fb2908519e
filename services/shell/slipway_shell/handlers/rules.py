"""What an organization asks for before a session, and the wishes that wait for an admin."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from slipway_contracts.access import Permission
from slipway_errors import Invalid, NotFound
from slipway_http import Call
from slipway_http.routing import UUID
from slipway_postgres import reading, transaction
from slipway_shell.admission import HOLDS
from slipway_shell.gateway import Gateway
from slipway_shell.stores.rules import Approval, Approvals, Rule, Rules

MODES = ("DEVELOPMENT", "PREVIEW", "PRODUCTION", "STAGING")


class RuleList(msgspec.Struct, frozen=True, kw_only=True):
    """Rules, one per mode of environments; a mode without one asks for nothing."""

    results: list[Rule]


class ApprovalList(msgspec.Struct, frozen=True, kw_only=True):
    """Wishes, the newest first."""

    results: list[Approval]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What an admin says to a wish."""

    state: Literal["approved", "denied"]


class ModeWrong(Invalid):
    """There are no environments of this mode."""

    code = "session.mode"


async def listed(app: Gateway, call: Call[None]) -> RuleList:
    """The rules."""
    async with reading(app.pool) as connection:
        return RuleList(results=await Rules(connection).list(call.place.organization_id))


async def change(app: Gateway, call: Call[Rule]) -> Rule:
    """Set the rule for a mode."""
    if call.body.mode not in MODES:
        raise ModeWrong(f"A mode is one of {', '.join(MODES)}.")
    async with transaction(app.pool) as connection:
        await Rules(connection).set(call.place.organization_id, call.body)
    return call.body


async def approvals(app: Gateway, call: Call[None]) -> ApprovalList:
    """Wishes that the caller may see."""
    user = None if call.may(Permission.ADMIN) else call.caller.id
    async with reading(app.pool) as connection:
        return ApprovalList(results=await Approvals(connection).list(call.place.organization_id, user))


async def decide(app: Gateway, call: Call[Decision]) -> Approval:
    """Say yes, which holds for an hour, or no; nobody decides about their own wish."""
    if not UUID.fullmatch(call.path["approvalId"]):
        raise NotFound("There is no such wish.")
    now, caller = datetime.now(UTC), call.caller
    async with transaction(app.pool) as connection:
        decided = await Approvals(connection).decide(
            call.path["approvalId"],
            call.place.organization_id,
            (caller.id, caller.name),
            call.body.state,
            now,
            now + HOLDS,
        )
    if decided is None:
        raise NotFound("There is no such wish that waits, or it is your own.")
    return decided
