"""What ends a command with one sentence, and the exit code that scripts see (docs/cli.md has the table)."""

from slipway_errors import Fault, Kind

FAILED = 1
USAGE = 2

EXIT_CODES: dict[Kind, int] = {
    Kind.INVALID: 7,
    Kind.UNAUTHENTICATED: 3,
    Kind.FORBIDDEN: 4,
    Kind.NOT_FOUND: 5,
    Kind.CONFLICT: 6,
    Kind.TOO_LARGE: 7,
    Kind.UNSUPPORTED: 7,
    Kind.BUSY: 8,
    Kind.UNAVAILABLE: 8,
}

KINDS_BY_STATUS: dict[int, Kind] = {
    400: Kind.INVALID,
    401: Kind.UNAUTHENTICATED,
    403: Kind.FORBIDDEN,
    404: Kind.NOT_FOUND,
    409: Kind.CONFLICT,
    413: Kind.TOO_LARGE,
    415: Kind.UNSUPPORTED,
    422: Kind.INVALID,
    429: Kind.BUSY,
}


class CommandFailed(Exception):
    """A command ends: `detail` is one sentence that says what to do, `code` is stable."""

    def __init__(self, detail: str, code: str = "failed", exit_code: int = FAILED) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.exit_code = exit_code

    @classmethod
    def of(cls, fault: Fault) -> "CommandFailed":
        return cls(fault.detail, fault.code, EXIT_CODES[fault.kind])


class NotRunning(CommandFailed):
    """There is no platform to talk to."""

    def __init__(self, where: str) -> None:
        super().__init__(f"No platform is running in {where}: start it with slipway up.", "platform.not_running", 8)
