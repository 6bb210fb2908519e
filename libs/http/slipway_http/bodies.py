"""Reading what was sent, within limits: the size is checked before and while reading, compressed or not."""

import asyncio
import re
from collections.abc import Mapping

from aiohttp import web

from slipway_errors import TooLarge, Unsupported
from slipway_http.problems import MalformedBody, RequestRefused
from slipway_http.routing import Route

BODY_SECONDS = 30.0
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """The id that a proxy or client gave the request, if it looks like one."""
    given = headers.get("X-Request-Id")
    return given if given is not None and REQUEST_ID.fullmatch(given) else None


async def read_body(request: web.BaseRequest, route: Route) -> bytes:
    """The whole JSON body; refused when too large or of another type."""
    limit = route.max_body_bytes
    length = request.content_length
    if length is not None and length > limit:
        raise TooLarge(f"The body may have {limit} bytes.", limit_bytes=limit)
    if not request.can_read_body:
        return _nothing(route)
    _check_type(request)
    await continue_if_expected(request)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _whole(request, limit)
    except TimeoutError:
        raise RequestRefused(408, f"The body did not arrive within {BODY_SECONDS:.0f} seconds.") from None
    return body or _nothing(route)


async def _whole(request: web.BaseRequest, limit: int) -> bytes:
    body = bytearray()
    while chunk := await _chunk(request):
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"The body may have {limit} bytes.", limit_bytes=limit)
    return bytes(body)


def _nothing(route: Route) -> bytes:
    if route.body_required:
        raise MalformedBody("A JSON body is needed.")
    return b"{}"


async def _chunk(request: web.BaseRequest) -> bytes:
    try:
        return await request.content.readany()
    except (web.RequestPayloadError, ValueError) as error:
        raise MalformedBody("The body ended early, or is not encoded as it says.") from error


def _check_type(request: web.BaseRequest) -> None:
    kind = request.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        raise Unsupported("Send JSON, with `Content-Type: application/json`.")


async def continue_if_expected(request: web.BaseRequest) -> None:
    """Tell a client that asks first (Expect: 100-continue) to send its body."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
