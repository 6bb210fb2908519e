"""Which environments need somebody's agreement before something is deployed."""

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class ApprovalPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Whether deployments of an environment wait for an approval."""

    required: bool = False
    expires_after_seconds: int = 86_400
    """How long one waits before it is dropped: 60 to 86400."""
    allow_own: bool = False
    """Who asked may approve, too; so may API tokens."""


GET = "SELECT config FROM approval_policies WHERE environment_id = $1"
PUT = """
    INSERT INTO approval_policies (environment_id, config, updated_at) VALUES ($1, $2, now())
    ON CONFLICT (environment_id) DO UPDATE SET config = $2, version = approval_policies.version + 1, updated_at = now()
"""


class ApprovalPolicies:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, environment_id: str) -> ApprovalPolicy:
        config = await self._connection.fetchval(GET, environment_id)
        return ApprovalPolicy() if config is None else msgspec.json.decode(config, type=ApprovalPolicy)

    async def put(self, environment_id: str, policy: ApprovalPolicy) -> None:
        await self._connection.execute(PUT, environment_id, rows.to_json(policy))
