"""What can go wrong, once for every edge: HTTP, the bus, WebSockets and the command line.

A fault is raised where the fact is known; each edge turns its kind into the edge's own vocabulary by one table.
Anything that is not a Fault is a bug: it is logged once, at the edge, and shown as "internal".
"""

from enum import StrEnum
from typing import Any, ClassVar


class Kind(StrEnum):
    """What the one who asked can do about a fault."""

    INVALID = "invalid"
    """The request is wrong: change it."""
    UNAUTHENTICATED = "unauthenticated"
    """Nobody we know: log in."""
    FORBIDDEN = "forbidden"
    """May see it, may not do it: ask somebody who may."""
    NOT_FOUND = "not_found"
    """Isn't there, or may not be seen."""
    CONFLICT = "conflict"
    """The state doesn't allow it: look at the state."""
    TOO_LARGE = "too_large"
    """More than is taken: send less."""
    UNSUPPORTED = "unsupported"
    """A form that is not spoken here: send another one."""
    BUSY = "busy"
    """Too much at once: try again after a while."""
    UNAVAILABLE = "unavailable"
    """A part that is needed is away: it will be tried again."""


class Fault(Exception):
    """Something went wrong."""

    # The first line of a subclass's docstring is the title that users see; `code` is stable for ever.
    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "internal"

    def __init__(self, detail: str = "", **facts: Any) -> None:
        """`detail` is one sentence: what happened, where, what to do next. `facts` are JSON values for programs."""
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.facts = facts

    @property
    def title(self) -> str:
        return (type(self).__doc__ or Fault.__doc__ or "").strip().splitlines()[0]


class Invalid(Fault):
    """The request is not valid."""

    kind = Kind.INVALID
    code = "request.invalid"

    def __init__(self, detail: str = "", errors: list[dict[str, str]] | None = None, **facts: Any) -> None:
        """`errors` lists every wrong field as {"path": "$.ports[0].internal_port", "message": "…"}."""
        if errors is not None:
            facts["errors"] = errors
        super().__init__(detail, **facts)


class Unauthenticated(Fault):
    """Nobody is logged in."""

    kind = Kind.UNAUTHENTICATED
    code = "auth.required"


class Forbidden(Fault):
    """This needs a right that you don't have."""

    kind = Kind.FORBIDDEN
    code = "auth.forbidden"


class NotFound(Fault):
    """There is no such thing."""

    kind = Kind.NOT_FOUND
    code = "not_found"


class Conflict(Fault):
    """The present state doesn't allow this."""

    kind = Kind.CONFLICT
    code = "conflict"


class TooLarge(Fault):
    """The request is too large."""

    kind = Kind.TOO_LARGE
    code = "request.too_large"


class Unsupported(Fault):
    """This content type is not taken."""

    kind = Kind.UNSUPPORTED
    code = "request.unsupported_media_type"


class Busy(Fault):
    """Too many requests at once."""

    kind = Kind.BUSY
    code = "busy"

    def __init__(self, detail: str = "", retry_after_seconds: float = 1.0, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Fault):
    """A part of the platform is away."""

    kind = Kind.UNAVAILABLE
    code = "unavailable"

    def __init__(self, detail: str = "", retry_after_seconds: float = 1.0, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.retry_after_seconds = retry_after_seconds
