"""Idempotency-Key: a POST that is sent again under the same key gets the answer of the first time."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from slipway_core.app import Core
from slipway_errors import Conflict, Invalid
from slipway_http import Call

Handler = Callable[..., Awaitable[Any]]
LONGEST_KEY = 255
WAIT_SECONDS, LOOK_SECONDS = 5.0, 0.1


class KeyReused(Conflict):
    """This Idempotency-Key was used for another request."""

    code = "idempotency.reused"


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is still running."""

    code = "idempotency.running"


def idempotent(handler: Handler, name: str) -> Handler:
    """The handler, honouring Idempotency-Key. Not for answers that hold a secret: they would be kept.

    `name` tells requests apart that have the same body.
    """

    async def handle(app: Core, call: Call[Any]) -> Any:
        key = call.headers.get("Idempotency-Key")
        if not key or not call.caller.id:
            return await handler(app, call)
        if len(key) > LONGEST_KEY or not key.isprintable():
            raise Invalid("The Idempotency-Key is too long, or not printable.")
        return await _once(app, call, key, handler, name)

    handle.__doc__ = handler.__doc__
    return handle


async def _once(app: Core, call: Call[Any], key: str, handler: Handler, name: str) -> Any:
    who, fingerprint = call.caller.principal_key, _fingerprint(call, name)
    async with app.work() as work:
        first = await work.idempotency.begin(who, key, fingerprint)
    if not first:
        return await _again(app, who, key, fingerprint)
    try:
        answer = await handler(app, call)
    except BaseException:
        async with app.work() as work:
            await work.idempotency.forget(who, key)
        raise
    async with app.work() as work:
        await work.idempotency.end(who, key, msgspec.json.encode(answer))
    return answer


def _fingerprint(call: Call[Any], name: str) -> str:
    said = msgspec.json.encode([name, call.path, call.body])
    return hashlib.sha256(said).hexdigest()


async def _again(app: Core, who: str, key: str, fingerprint: str) -> Any:
    for _ in range(int(WAIT_SECONDS / LOOK_SECONDS)):
        async with app.reading() as work:
            kept = await work.idempotency.get(who, key)
        if kept is None or kept.fingerprint != fingerprint:
            raise KeyReused
        if kept.answer is not None:
            return msgspec.Raw(kept.answer)
        await asyncio.sleep(LOOK_SECONDS)
    raise StillRunning
