"""Postgres as Slipway uses it: pools with time limits, transactions, forward-only migrations, the outbox.

Invariant: state and news of it commit together (outbox), and what Postgres refuses or can't do becomes a Fault here,
so that nobody above needs to know asyncpg's errors.
"""

from slipway_postgres.connections import Connection, Pool, pool, reading, transaction
from slipway_postgres.constraints import constraint_faults, postgres_faults
from slipway_postgres.migrations import SchemaWrong, check_schema, migrate
from slipway_postgres.outbox import Outbox
from slipway_postgres.relay import relay

__all__ = [
    "Connection",
    "Outbox",
    "Pool",
    "SchemaWrong",
    "check_schema",
    "constraint_faults",
    "migrate",
    "pool",
    "postgres_faults",
    "reading",
    "relay",
    "transaction",
]
