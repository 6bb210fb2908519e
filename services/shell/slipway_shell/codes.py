"""The codes with which a session's socket is closed; the reference's clients know them. 1007 and 1008 are for good."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Close:
    """How a socket ends. `reason` is for the user, at most 123 bytes of it travel."""

    code: int
    reason: str = ""


DONE = 1000
"""The program ended."""
RESTART = 1012
"""The gateway restarts: connect again."""
PERMISSION = 1007
"""May be seen, but no shell may be opened there (any more)."""
POLICY = 1008
"""Nobody we know, nothing we know, or a limit: connecting again does not help."""
AGENT = 1011
"""The cluster's agent doesn't answer or had trouble: try again."""
TRY_LATER = 1013
"""Too much at once."""


class Ended(Exception):
    """The session has to end."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.close = Close(code, reason)
