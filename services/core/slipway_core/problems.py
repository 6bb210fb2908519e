"""What can go wrong in core, each with a stable code."""

from collections.abc import Iterable
from typing import Any

from slipway_errors import Conflict, Forbidden, Invalid, Unauthenticated


class NameTaken(Conflict):
    """The name is already taken there."""

    code = "name.taken"

    def __init__(self, field: str, value: str, what: str) -> None:
        super().__init__(f"There is already {what} named “{value}”: choose another {field}.", field=field)


class InUse(Conflict):
    """It is still used."""

    code = "in_use"

    def __init__(self, what: str, used_by: Iterable[dict[str, str]]) -> None:
        users = list(used_by)
        names = ", ".join(user["name"] for user in users[:5]) + (" …" if len(users) > 5 else "")
        super().__init__(f"{what} is used by {names}: remove that first.", used_by=users[:100])


class Unsupported(Conflict):
    """This platform can't do that."""

    code = "unsupported"


class UnknownVariable(Invalid):
    """A variable names one that isn't there."""

    code = "variable.unknown"

    def __init__(self, name: str, path: list[str]) -> None:
        trail = " → ".join(path)
        super().__init__(f"{{{{{name}}}}} is not a variable there (asked for by {trail}).", path=path, name=name)


class VariableCycle(Invalid):
    """Variables name each other in a circle."""

    code = "variable.cycle"

    def __init__(self, path: list[str]) -> None:
        super().__init__(f"These variables need each other: {' → '.join(path)}.", path=path)


class ValueTooLarge(Invalid):
    """The value of a variable is too large."""

    code = "variable.too_large"


class LoginRefused(Unauthenticated):
    """E-mail or password is wrong."""

    code = "auth.login_refused"


class PasswordsOff(Forbidden):
    """Nobody logs in with a password here: use the identity provider."""

    code = "auth.passwords_off"


class LoginStale(Unauthenticated):
    """The login can't be finished: begin again."""

    code = "auth.login_stale"


class EmailUnverified(Forbidden):
    """The identity provider did not verify your address."""

    code = "auth.email_unverified"


class NotInvited(Forbidden):
    """Nobody invited you."""

    code = "auth.not_invited"


class IdentityTaken(Conflict):
    """The account with your address belongs to somebody else at the identity provider: ask an administrator."""

    code = "auth.identity_taken"


class AboveYourself(Forbidden):
    """Nobody can give more than they have."""

    code = "auth.above_yourself"


class Wrong(Invalid):
    """Fields are wrong."""

    code = "request.invalid"


def wrong(*errors: tuple[str, str]) -> Wrong:
    """A refusal that names each wrong field: ("$.ports[0].internal_port", "must be between 1 and 65535")."""
    listed = [{"path": path, "message": message} for path, message in errors]
    return Wrong("; ".join(f"{path}: {message}" for path, message in errors[:5]), errors=listed)


def one_of(value: Any, choices: Iterable[str]) -> str:
    return f"{value!r} is none of {', '.join(choices)}"


class DeploymentsFrozen(Conflict):
    """A freeze is in force."""

    code = "deployment.frozen"


class NothingToApprove(Conflict):
    """The deployment waits for no approval."""

    code = "approval.nothing"


class OwnApproval(Forbidden):
    """Nobody approves what they asked for themselves."""

    code = "approval.own"


class ServiceGone(Conflict):
    """The service was deleted meanwhile."""

    code = "service.gone"


class NothingToCancel(Conflict):
    """No deployment runs or waits."""

    code = "deployment.nothing_to_cancel"


class ReleaseGone(Conflict):
    """What to go back to is not kept any more."""

    code = "release.gone"
