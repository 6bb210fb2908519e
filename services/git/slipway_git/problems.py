"""What the built-in remote refuses."""

from slipway_errors import Busy, Fault, Kind, NotFound, Unauthenticated


class NoSuchRepository(NotFound):
    """There is no such repository, or you may not see it."""

    code = "git.repository_not_found"


class PasswordNeeded(Unauthenticated):
    """Use any user name, and an API token as password."""

    code = "git.password_needed"


class TooManyTransfers(Busy):
    """Too many clones and pushes at once: try again in a moment."""

    code = "git.too_many_transfers"


class GitFailed(Fault):
    """Git ended with an error."""

    kind = Kind.UNAVAILABLE
    code = "git.failed"
