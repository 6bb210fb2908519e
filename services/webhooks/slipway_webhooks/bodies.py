"""Reading a delivery's body: never more than is allowed for one, nor for all together, nor for longer than is fair."""

import asyncio
from collections.abc import Container
from typing import NoReturn

from aiohttp import web

from slipway_errors import TooLarge, Unsupported
from slipway_webhooks.problems import Overloaded, TooSlow, Unreadable

JSON = frozenset({"application/json"})


class Budget:
    """Bytes of bodies that may be in memory at once."""

    def __init__(self, most_bytes: int) -> None:
        self.left_bytes = most_bytes

    def take(self, count: int) -> None:
        if count > self.left_bytes:
            raise Overloaded("Too many large deliveries come at once.", retry_after_seconds=2.0)
        self.left_bytes -= count

    def reserved(self) -> "Reservation":
        """What is taken inside its block is given back at the end."""
        return Reservation(self)


class Reservation:
    """What one request has taken of the budget."""

    __slots__ = ("_budget", "taken_bytes")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.taken_bytes = 0

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.left_bytes += self.taken_bytes

    def grow_to(self, count: int) -> None:
        if count > self.taken_bytes:
            self._budget.take(count - self.taken_bytes)
            self.taken_bytes = count


def check_headers(request: web.BaseRequest, most_bytes: int, types: Container[str] = JSON) -> None:
    """Refuse by the headers alone what can't be taken: too large, compressed, not JSON."""
    headers = request.headers
    length = request.content_length
    if length is not None and length > most_bytes:
        _too_large(most_bytes)
    if "Content-Encoding" in headers and headers["Content-Encoding"].lower() != "identity":
        # The signature is over the bytes as sent; no provider compresses, and a bomb would unfold before it is checked.
        raise Unsupported("Deliveries are taken uncompressed.")
    if headers.get("Content-Type") != "application/json" and request.content_type not in types:
        raise Unsupported("Set the webhook's content type to application/json.")


def _too_large(most_bytes: int) -> NoReturn:
    raise TooLarge(f"A delivery may have {most_bytes} bytes.", limit_bytes=most_bytes)


async def read(request: web.BaseRequest, most_bytes: int, seconds: float, reservation: Reservation) -> bytes:
    """The whole body."""
    content = request.content
    if content.is_eof():
        # It came with its headers: nothing to wait for.
        reservation.grow_to(content.total_bytes)
        return content.read_nowait() if content.total_bytes <= most_bytes else _too_large(most_bytes)
    try:
        async with asyncio.timeout(seconds):
            return await _read(request, most_bytes, reservation)
    except TimeoutError:
        raise TooSlow(f"The body took longer than {seconds:g} s.") from None
    except (web.RequestPayloadError, ValueError) as error:
        raise Unreadable("The body ended early, or is not encoded as it says.") from error


async def _read(request: web.BaseRequest, most_bytes: int, reservation: Reservation) -> bytes:
    # Memory is counted as bytes come, not as they are announced: announcing costs a sender nothing.
    parts: list[bytes] = []
    size = 0
    while chunk := await request.content.readany():
        parts.append(chunk)
        size += len(chunk)
        if size > most_bytes:
            _too_large(most_bytes)
        reservation.grow_to(size)
        if size == request.content_length:
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)
