"""Responses: JSON with the headers that every answer has."""

from typing import Any

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from slipway_errors import Fault
from slipway_http.problems import problem_of

_encoder = msgspec.json.Encoder()
encoded = _encoder.encode
"""Any answer as JSON."""


def answer(body: bytes | None, status: int, request_id: str) -> web.Response:
    """A JSON answer; nobody may keep it, and no browser may take it for something else."""
    headers: CIMultiDict[str] = CIMultiDict(
        {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Request-Id": request_id}
    )
    if body is not None:
        headers["Content-Type"] = "application/json"
    return web.Response(body=body, status=status, headers=headers)


def problem(fault: Fault, request_id: str, status: int | None = None) -> web.Response:
    """A problem document."""
    own_status, body, headers = problem_of(fault, request_id)
    if status is not None:
        body = msgspec.json.encode(msgspec.json.decode(body, type=dict[str, Any]) | {"status": status})
    extra = {"X-Content-Type-Options": "nosniff", "X-Request-Id": request_id}
    return web.Response(body=body, status=status or own_status, headers=headers | extra)
