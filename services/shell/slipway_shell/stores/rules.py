"""What an organization asks for before a session, and who asked for one."""

from datetime import datetime

import msgspec

from slipway_postgres import Connection

RULES = "SELECT mode, needs_reason, needs_approval FROM shell_rules WHERE organization_id = $1 ORDER BY mode"
RULE = "SELECT mode, needs_reason, needs_approval FROM shell_rules WHERE organization_id = $1 AND mode = $2"
SET_RULE = """
    INSERT INTO shell_rules (organization_id, mode, needs_reason, needs_approval) VALUES ($1, $2, $3, $4)
    ON CONFLICT (organization_id, mode) DO UPDATE
    SET needs_reason = excluded.needs_reason, needs_approval = excluded.needs_approval
"""
COLUMNS = """
    id::text, organization_id::text, service_id::text, service_name, user_id, user_name, purpose, state, decided_by,
    asked_at, decided_at, expires_at
"""
APPROVED = """
    SELECT 1 FROM approvals
    WHERE service_id = $1 AND user_id = $2 AND state = 'approved' AND expires_at > $3
"""
FORGET = "DELETE FROM approvals WHERE service_id = $1 AND user_id = $2 AND state = 'pending' AND expires_at <= $3"
ASK = """
    INSERT INTO approvals (id, organization_id, service_id, service_name, user_id, user_name, purpose, asked_at,
                           expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (service_id, user_id) WHERE state = 'pending' DO UPDATE SET purpose = excluded.purpose
    RETURNING id::text
"""
LIST = f"""
    SELECT {COLUMNS} FROM approvals
    WHERE organization_id = $1 AND ($2::text IS NULL OR user_id = $2)
    ORDER BY asked_at DESC LIMIT 100
"""  # noqa: S608 only our own list of columns
DECIDE = f"""
    UPDATE approvals SET state = $4, decided_by = $5, decided_at = $6, expires_at = $7
    WHERE id = $1 AND organization_id = $2 AND state = 'pending' AND user_id <> $3 AND expires_at > $6
    RETURNING {COLUMNS}
"""  # noqa: S608


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for before a session in environments of a mode."""

    mode: str
    needs_reason: bool = False
    needs_approval: bool = False


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's wish for sessions in a service, and what was said to it."""

    id: str
    organization_id: str
    service_id: str
    service_name: str
    user_id: str
    user_name: str
    purpose: str
    state: str
    decided_by: str
    asked_at: datetime
    decided_at: datetime | None
    expires_at: datetime


class Rules:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self, organization_id: str) -> list[Rule]:
        """All rules of an organization; modes without one ask for nothing."""
        return [msgspec.convert(dict(row), Rule) for row in await self._connection.fetch(RULES, organization_id)]

    async def get(self, organization_id: str, mode: str) -> Rule:
        """The rule for a mode."""
        row = await self._connection.fetchrow(RULE, organization_id, mode)
        return msgspec.convert(dict(row), Rule) if row else Rule(mode=mode)

    async def set(self, organization_id: str, rule: Rule) -> None:
        """Change the rule for a mode."""
        await self._connection.execute(SET_RULE, organization_id, rule.mode, rule.needs_reason, rule.needs_approval)


class Approvals:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def approved(self, service_id: str, user_id: str, now: datetime) -> bool:
        """Whether somebody said yes to sessions of this person there, and it still holds."""
        return await self._connection.fetchval(APPROVED, service_id, user_id, now) is not None

    async def ask(self, wish: Approval) -> str:
        """Put a wish on the list, once; its id."""
        await self._connection.execute(FORGET, wish.service_id, wish.user_id, wish.asked_at)
        found: str = await self._connection.fetchval(
            ASK,
            wish.id,
            wish.organization_id,
            wish.service_id,
            wish.service_name,
            wish.user_id,
            wish.user_name,
            wish.purpose,
            wish.asked_at,
            wish.expires_at,
        )
        return found

    async def list(self, organization_id: str, user_id: str | None = None) -> list[Approval]:
        """Wishes, the newest first."""
        rows = await self._connection.fetch(LIST, organization_id, user_id)
        return [msgspec.convert(dict(row), Approval) for row in rows]

    async def decide(
        self, id: str, organization_id: str, by: tuple[str, str], state: str, now: datetime, until: datetime
    ) -> Approval | None:
        """Say yes or no to somebody else's wish; `by`: id and name. None when there is none that waits."""
        user_id, name = by
        row = await self._connection.fetchrow(DECIDE, id, organization_id, user_id, state, name, now, until)
        return msgspec.convert(dict(row), Approval) if row else None
