"""Every number by which this gateway says that something went wrong: the whole contract of failure with clients.

Errors (100–199) answer a command. Disconnect codes end a connection, and their range says what a client should do:
3000–3499 and 4000–4499 come back (with growing pauses), 3500–3999 and 4500–4999 stay away. Unsubscribe codes end one
subscription: below 2500 for good, from 2500 on the client should subscribe again (and recovers what it missed).
"""

from dataclasses import dataclass

from slipway_errors import Fault, Kind


@dataclass(frozen=True)
class Error:
    """The answer to a command that failed. `temporary`: the client may try again."""

    code: int
    message: str
    temporary: bool = False


INTERNAL = Error(100, "internal server error", temporary=True)
UNAUTHORIZED = Error(101, "unauthorized")
UNKNOWN_CHANNEL = Error(102, "unknown channel")
PERMISSION_DENIED = Error(103, "permission denied")
METHOD_NOT_FOUND = Error(104, "method not found")
ALREADY_SUBSCRIBED = Error(105, "already subscribed")
LIMIT_EXCEEDED = Error(106, "limit exceeded")
BAD_REQUEST = Error(107, "bad request")
NOT_AVAILABLE = Error(108, "not available")
TOKEN_EXPIRED = Error(109, "token expired")
TOO_MANY_REQUESTS = Error(111, "too many requests", temporary=True)
UNRECOVERABLE = Error(112, "unrecoverable position")


@dataclass(frozen=True)
class Disconnect:
    """The end of a connection."""

    code: int
    reason: str

    @property
    def comes_back(self) -> bool:
        """Whether the client should connect again."""
        return 3000 <= self.code < 3500 or 4000 <= self.code < 4500


SHUTDOWN = Disconnect(3001, "shutdown")
SERVER_ERROR = Disconnect(3004, "internal server error")
EXPIRED = Disconnect(3005, "connection expired")
SLOW = Disconnect(3008, "slow")
INSUFFICIENT_STATE = Disconnect(3010, "insufficient state")
NO_PONG = Disconnect(3012, "no pong")
TOO_MANY_COMMANDS = Disconnect(3013, "too many requests")
INVALID_TOKEN = Disconnect(3500, "invalid token")
BAD_FRAME = Disconnect(3501, "bad request")
STALE = Disconnect(3502, "stale")
CONNECTION_LIMIT = Disconnect(3504, "connection limit")
ACCESS_REVOKED = Disconnect(3507, "permission denied")


@dataclass(frozen=True)
class Unsubscribe:
    """The end of a subscription."""

    code: int
    reason: str


class Refused(Exception):
    """A command can't be done."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


class Ended(Exception):
    """The connection has to end."""

    def __init__(self, disconnect: Disconnect) -> None:
        super().__init__(disconnect.reason)
        self.disconnect = disconnect


UNSUBSCRIBE_REVOKED = Unsubscribe(2403, "permission denied")
UNSUBSCRIBE_INSUFFICIENT = Unsubscribe(2500, "insufficient state")

_ERRORS = {
    Kind.INVALID: BAD_REQUEST,
    Kind.UNAUTHENTICATED: UNAUTHORIZED,
    Kind.FORBIDDEN: PERMISSION_DENIED,
    Kind.NOT_FOUND: UNKNOWN_CHANNEL,
    Kind.CONFLICT: BAD_REQUEST,
    Kind.TOO_LARGE: LIMIT_EXCEEDED,
    Kind.UNSUPPORTED: NOT_AVAILABLE,
    Kind.BUSY: TOO_MANY_REQUESTS,
    Kind.UNAVAILABLE: INTERNAL,
}


def error_of(fault: Fault) -> Error:
    """How a fault is said to a client."""
    return _ERRORS[fault.kind]


# The endpoints below /ws speak plain WebSocket codes, as the reference's clients expect them.
WS_DONE = 1000
WS_GOING_AWAY = 1001
WS_POLICY = 1008
"""Not signed in, or no right: permanent."""
WS_TRY_LATER = 1013
"""Something is away, or the client is too slow: come back."""
WS_BAD_REQUEST = 1007
