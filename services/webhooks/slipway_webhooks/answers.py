"""Answers to deliveries: written in one piece, past aiohttp's Response, which costs as much as checking a signature."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

JSON_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
_LINES: dict[int, bytes] = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class Answer:
    """What aiohttp's server wants of a response, and no more."""

    __slots__ = ("body", "close", "headers", "keep_alive", "request_id", "status")

    prepared = False
    """Never sent in parts."""

    def __init__(
        self,
        status: int,
        body: bytes,
        request_id: str,
        headers: Mapping[str, str] = JSON_HEADERS,
        *,
        close: bool = False,
    ) -> None:
        """`close`: the connection ends with this answer."""
        self.status = status
        self.body = body
        self.request_id = request_id
        self.headers = headers
        self.close = close
        self.keep_alive = False

    async def prepare(self, request: web.BaseRequest) -> None:
        """Called by the server once the handler is done."""
        self.keep_alive = request.keep_alive and not self.close
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("The sender went away.")
        transport.write(self.encoded(request.version))

    async def write_eof(self) -> None:
        """It was written whole."""

    def as_response(self) -> web.Response:
        """For the generic server."""
        response = web.Response(body=self.body, status=self.status, headers=self.headers)
        response.headers["X-Request-Id"] = self.request_id
        if self.close:
            response.force_close()
        return response

    def encoded(self, version: Any) -> bytes:
        """The whole answer, as `keep_alive` says."""
        head = _HEAD if self.headers is JSON_HEADERS else _head(self.headers)
        if not self.keep_alive:
            head += b"Connection: close\r\n"
        elif version < (1, 1):
            head += b"Connection: keep-alive\r\n"
        return b"%b%bContent-Length: %d\r\nX-Request-Id: %b\r\n\r\n%b" % (
            _LINES.get(self.status) or b"HTTP/1.1 %d Refused\r\n" % self.status,
            head,
            len(self.body),
            self.request_id.encode(),
            self.body,
        )


def _head(headers: Mapping[str, str]) -> bytes:
    lines = {"X-Content-Type-Options": "nosniff", **headers}
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("latin-1", "replace")


_HEAD = _head(JSON_HEADERS)
