"""Key-value buckets: the last value per key, and a watch that can't miss one.

A watch is a plain subscription that only rings a bell, and reads by stream sequence from where it was: on the bell, and
every two seconds without it. So a lost message, a full buffer or a restarted server delays a change, but loses none.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import structlog
from nats.aio.msg import Msg

from slipway_bus.direct import Batches, Kept, last_kept
from slipway_bus.publishing import encode
from slipway_contracts.base import Bucket, Message
from slipway_errors import Fault, Invalid, NotFound

if TYPE_CHECKING:
    from slipway_bus.connection import Bus

M = TypeVar("M", bound=Message)

LOADED = ""
"""The key that a watch yields once, when all values that were there at its start have been yielded."""

_KEY = re.compile(r"[A-Za-z0-9_=/-]+(\.[A-Za-z0-9_=/-]+)*")
_BATCH = 1000
"""Values asked for at once: the most that the server gives. A large bucket is loaded in few round trips."""
_LOOK_SECONDS = 2.0
_RETRY_SECONDS = 0.5

log = structlog.get_logger()


class Table(Generic[M]):
    """One bucket. Keys are tokens joined by dots; values are of one message type."""

    def __init__(self, bus: "Bus", bucket: Bucket[M]) -> None:
        self._bus = bus
        self._bucket = bucket
        self._stream = f"KV_{bucket.name}"
        self._prefix = f"$KV.{bucket.name}."

    async def get(self, key: str) -> M | None:
        """The value, or None."""
        kept = await last_kept(self._bus, self._stream, self._subject(key))
        return None if kept is None else self._value(kept)

    async def put(self, key: str, message: M) -> int:
        """Set the value; the revision it has now."""
        return await self._bus.publish_raw(self._subject(key), encode(message))

    async def delete(self, key: str) -> None:
        """Remove the value; watchers are told."""
        await self._bus.publish_raw(self._subject(key), b"", headers={"KV-Operation": "DEL"})

    async def watch(self) -> AsyncGenerator[tuple[str, M | None], None]:
        """Every key and value, then `(LOADED, None)`, then every change for ever; None is a deleted value.

        After a restore of the bucket from an older backup everything is told again, and what vanished is told as None.
        """
        bell = asyncio.Event()

        async def ring(_: Msg) -> None:
            bell.set()

        follower = _Follower(self._bus, self._stream, f"{self._prefix}>")
        listening = await self._bus.listen(f"{self._prefix}>", ring)
        try:
            with self._bus.noticing(lambda _: bell.set()):
                loaded = False
                while True:
                    bell.clear()
                    async for key, value in self._changes(follower):
                        yield key, value
                    if not loaded and follower.is_current:
                        loaded = True
                        yield LOADED, None
                    await _wait(bell, _LOOK_SECONDS if follower.is_current else _RETRY_SECONDS)
        finally:
            await listening.unsubscribe()

    async def _changes(self, follower: "_Follower") -> AsyncIterator[tuple[str, M | None]]:
        async for kept in follower.read():
            key = kept.subject.removeprefix(self._prefix)
            try:
                yield key, self._value(kept)
            except msgspec.DecodeError:
                log.exception("bus.unreadable_value", bucket=self._bucket.name, sequence=kept.sequence)

    def _subject(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise Invalid(f"{key!r} can't be a key of {self._bucket.name}.")
        return self._prefix + key

    def _value(self, kept: Kept) -> M | None:
        if kept.headers.get("KV-Operation") in ("DEL", "PURGE"):
            return None
        return msgspec.json.decode(kept.data, type=self._bucket.message)


class _Follower:
    """Reads a stream by sequence, and notices when it was replaced by another one."""

    def __init__(self, bus: "Bus", stream: str, filter: str) -> None:
        self._bus = bus
        self._stream = stream
        self._filter = filter
        self._sequence = 0
        self._connection = -1
        self._created = ""
        self._known: dict[str, None] = {}
        self.is_current = False
        """The last read came to the end."""

    async def read(self) -> AsyncIterator[Kept]:
        """What is new. A server that is away makes it end early, with `is_current` unset."""
        self.is_current = False
        try:
            for gone in await self._check_identity():
                yield gone
            async with Batches(self._bus, self._stream) as batches:
                while found := await batches.get(self._next()):
                    for kept in found:
                        self._sequence = kept.sequence
                        self._known[kept.subject] = None
                        yield kept
            self.is_current = True
        except NotFound:
            log.warning("bus.table_missing", stream=self._stream)
        except Fault as fault:
            log.info("bus.table_waits", stream=self._stream, reason=fault.detail)

    def _next(self) -> dict[str, Any]:
        return {"seq": self._sequence + 1, "next_by_subj": self._filter, "batch": _BATCH}

    async def _check_identity(self) -> list[Kept]:
        """After each (re)connection: is it the stream that we know? If not, forget it, and say what may be gone."""
        if self._connection == self._bus.connections:
            return []
        connection = self._bus.connections
        info = await self._bus.api(f"STREAM.INFO.{self._stream}")
        created, last = str(info["created"]), int(info["state"]["last_seq"])
        replaced = bool(self._created) and (created != self._created or last < self._sequence)
        self._connection, self._created = connection, created
        if not replaced:
            return []
        log.warning("bus.table_replaced", stream=self._stream)
        self._sequence = 0
        known, self._known = self._known, {}
        return [_deleted(subject) for subject in known]


def _deleted(subject: str) -> Kept:
    return Kept(subject, 0, datetime.fromtimestamp(0, UTC), b"", {"KV-Operation": "DEL"})


async def _wait(bell: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bell.wait()


async def follow(table: Table[M], apply: Callable[[str, M | None], None], stopping: asyncio.Event) -> None:
    """Call `apply` for all that `table.watch()` tells, until `stopping`: a loop for `Life.spawn`."""

    async def watch() -> None:
        async with contextlib.aclosing(table.watch()) as changes:
            async for key, value in changes:
                apply(key, value)

    watching = asyncio.create_task(watch())
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
    finally:
        watching.cancel()
        stopped.cancel()
        await asyncio.gather(watching, stopped, return_exceptions=True)
