"""Versions of what two people may edit: ETag out, If-Match in."""

from typing import Any

from slipway_errors import Conflict
from slipway_http.calls import Call


class PreconditionFailed(Conflict):
    """Somebody else changed it meanwhile."""

    code = "request.changed_meanwhile"
    status = 412


def etag(version: int | str) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def require_match(call: Call[Any], version: int | str) -> None:
    """PreconditionFailed when the request says If-Match and means another version."""
    wanted = call.headers.get("If-Match")
    if wanted is None or wanted.strip() == "*":
        return
    if etag(version) not in {part.strip().removeprefix("W/") for part in wanted.split(",")}:
        raise PreconditionFailed("It was changed since you read it: read it again, then change it.")
