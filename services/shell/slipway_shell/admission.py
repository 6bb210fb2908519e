"""What an organization asks for before a session is opened: a reason, or somebody else's approval."""

from datetime import datetime, timedelta

from slipway_contracts.base import uuid7
from slipway_postgres import Connection
from slipway_security.access import Caller
from slipway_shell.codes import POLICY, Close
from slipway_shell.session import Wanted
from slipway_shell.stores.rules import Approval, Approvals, Rules

WAITS = timedelta(hours=24)
"""A wish that nobody decided in this time is forgotten."""
HOLDS = timedelta(hours=1)
"""How long an approval lets its person open sessions in that service."""


async def admitted(connection: Connection, caller: Caller, wanted: Wanted, now: datetime) -> Close | None:
    """Why the session is not opened (a wish is then put on the list), or None when it may be."""
    place = wanted.place
    rule = await Rules(connection).get(place.organization_id, place.mode)
    where = f"{place.name}, which is {place.mode.lower()}"
    if (rule.needs_reason or rule.needs_approval) and not wanted.reason:
        return Close(POLICY, f"Say why you want a session in {where} (--reason).")
    approvals = Approvals(connection)
    if not rule.needs_approval or await approvals.approved(place.service_id, caller.id, now):
        return None
    wish = Approval(
        id=uuid7(),
        organization_id=place.organization_id,
        service_id=place.service_id,
        service_name=place.name,
        user_id=caller.id,
        user_name=caller.name,
        purpose=wanted.reason,
        state="pending",
        decided_by="",
        asked_at=now,
        decided_at=None,
        expires_at=now + WAITS,
    )
    id = await approvals.ask(wish)
    return Close(POLICY, f"An admin must approve: asked for as {id}. Try again then.")
