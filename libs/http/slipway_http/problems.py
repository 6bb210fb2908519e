"""Problem documents (RFC 9457): what every refusal looks like. One table turns kinds of faults into statuses."""

from collections.abc import Mapping
from typing import Any

import msgspec

from slipway_errors import Busy, Fault, Invalid, Kind, Unavailable

STATUS: dict[Kind, int] = {
    Kind.INVALID: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.BUSY: 429,
    Kind.UNAVAILABLE: 503,
}
CONTENT_TYPE = "application/problem+json"
RESERVED = {"type", "title", "status", "detail", "code", "request_id"}


class MalformedBody(Invalid):
    """The body is not what it says it is."""

    code = "request.malformed"
    status = 400


class RequestRefused(Fault):
    """The request was refused."""

    code = "request.refused"

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        super().__init__(detail)


def status_of(fault: Fault) -> int:
    """A few faults of this library have a status of their own, the others that of their kind."""
    own: int | None = getattr(fault, "status", None)
    return own if own is not None else STATUS[fault.kind]


def problem_of(fault: Fault, request_id: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers."""
    status = status_of(fault)
    document: dict[str, Any] = {
        "type": f"urn:slipway:problem:{fault.code}",
        "title": fault.title,
        "status": status,
        "detail": fault.detail,
        "code": fault.code,
        "request_id": request_id,
    }
    document |= {name: value for name, value in fault.facts.items() if name not in RESERVED}
    return status, msgspec.json.encode(document, enc_hook=str), dict(_headers(fault, status))


def _headers(fault: Fault, status: int) -> Mapping[str, str]:
    headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
    if isinstance(fault, Busy | Unavailable):
        headers["Retry-After"] = str(max(1, round(fault.retry_after_seconds)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if allowed := getattr(fault, "allowed", ""):
        headers["Allow"] = allowed
    return headers
