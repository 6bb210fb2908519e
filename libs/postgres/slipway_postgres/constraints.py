"""Postgres' errors as faults. The names of constraints are the vocabulary: a store says which means what."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import asyncpg

from slipway_errors import Busy, Fault, Invalid, Unavailable

NO_CONNECTION = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""Everything that may come of a server that is away; `is_lost` tells it from our own mistakes."""
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,
    ConnectionError,
)
CLOSED = re.compile(r"clos(ed|ing)|released|not initialized")
AGAIN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,  # a migration gave a table another column meanwhile
)
FULL = (asyncpg.DiskFullError, asyncpg.InsufficientResourcesError)
UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


def is_lost(error: BaseException) -> bool:
    """Whether the server was away or too slow; anything else of asyncpg's is a mistake of ours."""
    if isinstance(error, asyncpg.InterfaceError):
        return CLOSED.search(str(error)) is not None
    return isinstance(error, (*LOST, OSError, TimeoutError, asyncpg.QueryCanceledError, *FULL))


@contextmanager
def postgres_faults() -> Iterator[None]:
    """Turn what Postgres can't do now into Unavailable or Busy, and text it can't hold into Invalid."""
    try:
        yield
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        ConnectionError,
        TimeoutError,
    ) as error:
        fault = _fault_of(error)
        if fault is None:
            raise
        raise fault from error


def _fault_of(error: Exception) -> Fault | None:
    if isinstance(error, asyncpg.QueryCanceledError):
        return Unavailable("The database took too long to answer.")
    if isinstance(error, AGAIN):
        return Busy("Somebody else changes the same thing at this moment: try again.")
    if isinstance(error, FULL):
        return Unavailable("The database has no room left.")
    if isinstance(error, UNSTORABLE):
        return Invalid("A text holds a character that can't be stored (NUL, or broken UTF-8).")
    return Unavailable("The database is away.") if is_lost(error) else None


@contextmanager
def constraint_faults(faults: Mapping[str, Callable[[], Fault]]) -> Iterator[None]:
    """Turn the violation of a named constraint into its fault: `{"projects_name_unique": lambda: NameTaken(name)}`."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        make = faults.get(error.constraint_name or "")
        if make is None:
            raise
        raise make() from error
