"""The connection: one per process, it reconnects for ever, and everything that waits for it has a limit."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import structlog
from nats import errors
from nats.aio.msg import Msg

from slipway_bus import consuming, direct
from slipway_bus.deliveries import Delivery, Pull
from slipway_bus.direct import Stored
from slipway_bus.ingest import Ingest
from slipway_bus.listening import FAULT, Answering, Handler, Listening, Responder, callback, fault_of_answer
from slipway_bus.publishing import ACK_TIMEOUT_SECONDS, AckWindow, Outgoing, encode
from slipway_bus.tables import Table
from slipway_bus.tracing import outgoing_headers
from slipway_bus.wire import BusRefused, Payload, ReconnectingClient, decode_reply
from slipway_contracts.base import Bucket, Message, Topic
from slipway_errors import Fault, Unavailable

if TYPE_CHECKING:
    from slipway_bus.access import Living
    from slipway_security.access import AccessCopy

M = TypeVar("M", bound=Message)
R = TypeVar("R", bound=Message)

RECONNECT_SECONDS = 0.5
LONGEST_RECONNECT_SECONDS = 3.0
_PING_SECONDS = 10
_CONNECT_SECONDS = 3
_PENDING_BYTES = 16 * 1024 * 1024
_CLOSE_SECONDS = 5.0
_TROUBLE_SECONDS = 10.0
"""At most one line of log about a lost connection in this time."""

log = structlog.get_logger()


class Bus:
    """What a service may do on the bus. Made by `connect`."""

    def __init__(self, name: str, user: str) -> None:
        self.name = name
        self.client = ReconnectingClient()
        self.connections = 0
        """How often it was connected: it grows with every reconnect."""
        self._inbox_prefix = f"_INBOX.{user}" if user else "_INBOX"
        self._count = 0
        self._connected = asyncio.Event()
        self._noticing: set[Callable[[str], None]] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._trouble_at = float("-inf")

    # Connection

    @property
    def connected(self) -> bool:
        """Is the server there now?"""
        return self._connected.is_set() and self.client.is_connected

    async def wait_connected(self, timeout_seconds: float = ACK_TIMEOUT_SECONDS) -> None:
        """Return once connected; Unavailable when that takes too long."""
        if self.connected:
            return
        try:
            async with asyncio.timeout(max(timeout_seconds, 0.001)):
                await self._connected.wait()
        except TimeoutError:
            raise Unavailable("The message bus is away.") from None

    async def _open(self, url: str, user: str, password: str) -> None:
        self.client.on_refused = self._refused
        await self.client.connect(
            servers=url.split(","),
            name=self.name,
            user=user or None,
            password=password or None,
            inbox_prefix=self._inbox_prefix,
            error_cb=self._trouble,
            disconnected_cb=self._lost,
            reconnected_cb=self._back,
            connect_timeout=_CONNECT_SECONDS,
            reconnect_time_wait=RECONNECT_SECONDS,  # type: ignore[arg-type]
            max_reconnect_attempts=-1,
            ping_interval=_PING_SECONDS,
            max_outstanding_pings=2,
            pending_size=_PENDING_BYTES,
            flush_timeout=_CLOSE_SECONDS,
        )
        self._inbox_prefix = self.client.new_inbox()
        self._acks = AckWindow(self.client, self.new_inbox())
        self._ingest = Ingest(self.client, self.new_inbox(), self.publish_raw)
        await self._acks.open()
        await self._ingest.open()
        await self._back()

    async def _close(self) -> None:
        with contextlib.suppress(errors.Error, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                # Not drain(): it waits out its whole time-out after a pull.
                if self.connected:
                    await self.client.flush(int(_CLOSE_SECONDS))
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        if hasattr(self, "_ingest"):
            self._acks.close()
            self._ingest.close()
        with contextlib.suppress(errors.Error, OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.client.close()

    async def _lost(self) -> None:
        if self._connected.is_set():
            self._connected.clear()
            self._ingest.lost()
            log.warning("bus.lost", name=self.name)

    async def _back(self) -> None:
        self.connections += 1
        self.client.options["reconnect_time_wait"] = RECONNECT_SECONDS
        self._connected.set()
        log.info("bus.connected", name=self.name, connections=self.connections)
        self._notify("")

    async def _trouble(self, error: Exception) -> None:
        if not self.client.is_connected:
            wait: float = self.client.options["reconnect_time_wait"]
            grown = min(wait * 1.5, LONGEST_RECONNECT_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311
            self.client.options["reconnect_time_wait"] = grown
        now = asyncio.get_running_loop().time()
        if now - self._trouble_at > _TROUBLE_SECONDS:
            self._trouble_at = now
            log.warning("bus.trouble", name=self.name, reason=str(error) or type(error).__name__)

    def _refused(self, subject: str) -> None:
        log.error("bus.refused", name=self.name, subject=subject)
        self._acks.refused(subject)
        self._notify(subject)

    def _notify(self, refused: str) -> None:
        for notice in list(self._noticing):
            notice(refused)

    @contextmanager
    def noticing(self, notice: Callable[[str], None]) -> Iterator[None]:
        """Have `notice` called with a subject that was refused (in lower case), and with "" after each reconnect."""
        self._noticing.add(notice)
        try:
            yield
        finally:
            self._noticing.discard(notice)

    def new_inbox(self) -> str:
        """A subject of this connection that nobody else can listen to."""
        self._count += 1
        return f"{self._inbox_prefix}.{self._count}"

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something until it ends or the connection is closed."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # Publishing

    async def publish(
        self,
        topic: Topic[M],
        message: M,
        *,
        id: str | None = None,
        headers: Mapping[str, str] | None = None,
        **ids: str,
    ) -> int:
        """Put a message into its stream; returns its sequence once it is durable, Unavailable after five seconds.

        The same `id` again within the stream's window of two minutes is kept once.
        """
        return await self.publish_raw(_subject(topic, ids), encode(message), id=id, headers=headers)

    async def publish_raw(
        self, subject: str, data: bytes, *, id: str | None = None, headers: Mapping[str, str] | None = None
    ) -> int:
        """`publish` for what is encoded already (the outbox)."""
        return await (await self.publish_soon(subject, data, id=id, headers=headers))

    async def publish_soon(
        self, subject: str, data: bytes, *, id: str | None = None, headers: Mapping[str, str] | None = None
    ) -> "asyncio.Future[int]":
        """Send when there is room in the window; the future is done once the message is durable."""
        await self.wait_connected()
        carried = outgoing_headers(headers)
        if id is not None:
            carried["Nats-Msg-Id"] = id
        return await self._acks.publish(subject, data, carried)

    async def publish_many(self, messages: Iterable[Outgoing]) -> list[int]:
        """Put many messages into their streams, in order, without waiting for each; the sequences of all.

        When one fails, its fault is raised after all others are settled: repeat the whole with the same ids.
        """
        futures: list[asyncio.Future[int]] = []
        try:
            for one in messages:
                subject = _subject(one.topic, one.ids)
                futures.append(await self.publish_soon(subject, encode(one.message), id=one.id, headers=one.headers))
        finally:
            outcomes = await asyncio.gather(*futures, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return [outcome for outcome in outcomes if isinstance(outcome, int)]

    def ingest(self, subject: str, data: bytes, id: str) -> "asyncio.Future[None]":
        """A cheap `publish_raw` for streams with `fast_ingest`; at once Unavailable when away, Busy when full."""
        return self._ingest.put(subject, data, id)

    @property
    def ingest_full(self) -> bool:
        """Would `ingest` refuse a message now?"""
        return self._ingest.full

    async def send(self, topic: Topic[M], message: M, **ids: str) -> None:
        """Tell those who listen now; nobody keeps it."""
        await self.wait_connected()
        try:
            await self.client.publish(topic.subject(**ids), encode(message), headers=outgoing_headers() or None)
        except errors.Error as error:
            raise Unavailable(f"The bus is away: {error}.") from error

    # Requests

    async def request(self, topic: Topic[M], message: M, reply: type[R], timeout_seconds: float = 5.0, **ids: str) -> R:
        """Ask who serves the topic. Nobody there: Unavailable at once. A fault over there is raised here."""
        subject = topic.subject(**ids)
        answer = await self.call(subject, encode(message), f"answer {subject}", timeout_seconds)
        if FAULT in (answer.headers or {}):
            raise fault_of_answer(answer.data)
        return msgspec.json.decode(answer.data, type=reply)

    async def call(self, subject: str, data: bytes, doing: str, timeout_seconds: float = ACK_TIMEOUT_SECONDS) -> Msg:
        """One raw request; faults for everything that can go wrong on the way."""
        await self.wait_connected(timeout_seconds)
        waiting = asyncio.ensure_future(
            self.client.request(subject, data, timeout=timeout_seconds, headers=outgoing_headers() or None)
        )
        fault: list[Fault] = []

        def noticed(refused: str) -> None:
            if refused == subject.lower():
                fault.append(BusRefused(f"This user may not ask {subject}.", subject=subject))
                waiting.cancel()

        with self.noticing(noticed):
            try:
                return await waiting
            except errors.NoRespondersError:
                raise Unavailable(f"Nobody is there to {doing}.") from None
            except (errors.TimeoutError, TimeoutError):
                raise Unavailable(f"No answer in time to: {doing}.") from None
            except errors.Error as error:
                raise Unavailable(f"The bus is away: {error}.") from error
            except asyncio.CancelledError:
                if fault:
                    raise fault[0] from None
                raise
            finally:
                waiting.cancel()

    async def api(self, action: str, request: Payload | None = None) -> Payload:
        """One call of the JetStream API: `STREAM.INFO.GIT`."""
        data = b"" if request is None else msgspec.json.encode(request)
        answer = await self.call(f"$JS.API.{action}", data, action)
        return decode_reply(answer.data, action)

    # Listening

    async def serve(self, topic: Topic[M], handler: Responder, *, queue: str | None = "", **ids: str) -> Listening:
        """Answer requests with `await handler(message, ids)`; replicas share them, unless `queue` is None."""
        answering = Answering(self, topic, handler)
        group = self.name if queue == "" else queue or ""
        listening = await self.listen(topic.filter(**ids), answering.received, group)
        if self.connected:
            # Who asks from now on finds somebody there.
            with contextlib.suppress(Unavailable):
                await self.listening()
        return listening

    async def subscribe(
        self, topic: Topic[M], handler: Handler, *, live: bool = False, queue: str = "", **ids: str
    ) -> Listening:
        """Call `handler(message, subject, headers)` for everything that comes, in order; ids left out match all.

        `live=True`: what a stream republished, with Nats-Sequence and Nats-Last-Sequence among the headers.
        """
        subject = topic.filter(**ids)
        return await self.listen(f"live.{subject}" if live else subject, callback(topic, handler), queue)

    async def listening(self) -> None:
        """Return once the server knows of all subscriptions made so far: nothing sent from now on is missed."""
        try:
            await self.client.flush()
        except (errors.Error, TimeoutError) as error:
            raise Unavailable(f"The bus is away: {error}.") from error

    async def listen(self, subject: str, received: Callable[[Msg], Awaitable[None]], queue: str = "") -> Listening:
        """A raw subscription."""
        try:
            return Listening(self.client, await self.client.subscribe(subject, queue=queue, cb=received))
        except errors.Error as error:
            raise Unavailable(f"The bus is away: {error}.") from error

    # Consumers

    async def consume(
        self, subscription: "consuming.Subscription[Any, Any]", app: object, stopping: asyncio.Event
    ) -> None:
        """Handle what comes for a durable consumer until `stopping`: a loop for `Life.spawn`."""
        await consuming.consume(self, subscription, app, stopping)

    async def pull(self, stream: str, durable: str, batch: int, timeout_seconds: float) -> list[Delivery]:
        """Up to `batch` messages that are there now; else the first one within the time, or none."""
        return await Pull(self, stream, durable).run(batch, timeout_seconds)

    # What is kept

    async def follow_access(self, life: "Living") -> "AccessCopy":
        """An AccessCopy that is fed from the bucket `access` from now on."""
        from slipway_bus.access import follow_access

        return await follow_access(self, life)

    async def table(self, bucket: Bucket[M]) -> Table[M]:
        """A key-value bucket."""
        return Table(self, bucket)

    async def history(
        self,
        topic: Topic[M],
        after_sequence: int = 0,
        since: datetime | None = None,
        limit: int | None = None,
        **ids: str,
    ) -> AsyncIterator[Stored[M]]:
        """What the stream keeps of a topic, oldest first; ids left out match all."""
        assert topic.stream is not None, f"{topic.pattern} is not kept"
        left = limit
        async for kept in direct.read_kept(self, topic.stream.name, topic.filter(**ids), after_sequence, since):
            if left is not None:
                if left <= 0:
                    return
                left -= 1
            yield _stored(topic, kept)

    async def last(self, topic: Topic[M], **ids: str) -> Stored[M] | None:
        """The newest message of exactly one subject."""
        assert topic.stream is not None, f"{topic.pattern} is not kept"
        kept = await direct.last_kept(self, topic.stream.name, topic.subject(**ids))
        return None if kept is None else _stored(topic, kept)


def _subject(topic: Topic[Any], ids: Mapping[str, str]) -> str:
    assert topic.stream is not None, f"{topic.pattern} is live only: use send or request"
    return topic.subject(**ids)


def _stored(topic: Topic[M], kept: direct.Kept) -> Stored[M]:
    message = msgspec.json.decode(kept.data, type=topic.message)
    return Stored(message, kept.sequence, kept.at, kept.subject, kept.headers)


@asynccontextmanager
async def connect(
    url: str, *, name: str, user: str = "", password: str = "", timeout_seconds: float | None = None
) -> AsyncIterator[Bus]:
    """Connect and stay so: a server that is away is waited for, at the start too.

    With `timeout_seconds` the first connection must be made within that time, else Unavailable.
    """
    bus = Bus(name, user)
    try:
        try:
            async with asyncio.timeout(timeout_seconds):
                await bus._open(url, user, password)
        except TimeoutError:
            reason = str(bus.client.last_error or "no answer")
            raise Unavailable(f"Can't connect to the message bus as {user or name}: {reason}.") from None
        yield bus
    finally:
        await bus._close()
