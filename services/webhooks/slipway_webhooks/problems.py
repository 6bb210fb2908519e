"""Why a delivery is refused."""

from slipway_errors import Conflict, Invalid, NotFound, Unauthenticated, Unavailable


class UnknownLink(NotFound):
    """There is no such webhook link."""

    code = "webhooks.unknown_link"


class WrongSignature(Unauthenticated):
    """The signature is missing or wrong."""

    code = "webhooks.wrong_signature"


class Unreadable(Invalid):
    """The delivery can't be read."""

    code = "webhooks.unreadable"


class TooSlow(Invalid):
    """The body didn't come in time."""

    code = "webhooks.too_slow"
    status = 408


class Overloaded(Unavailable):
    """Too much comes at once: send it again."""

    code = "webhooks.overloaded"


class NothingToReplay(Conflict):
    """Nothing followed from this delivery that could be sent again."""

    code = "webhooks.nothing_to_replay"
