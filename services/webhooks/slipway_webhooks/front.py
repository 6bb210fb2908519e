"""The gateway's door: deliveries go straight to their handler, everything else by the generic server.

The generic server's work for one request (route, caller, limits, contexts, a line of log) costs more than a delivery
itself, and none of it concerns deliveries: their signature is their permission, the delivery log their line.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any, cast
from urllib.parse import unquote_plus

import structlog
from aiohttp import web
from aiohttp.http import RawRequestMessage

from slipway_errors import Busy, Fault, Unavailable
from slipway_http import Server, Serving
from slipway_http.bodies import continue_if_expected
from slipway_http.origins import Origins, client_address
from slipway_webhooks.answers import Answer
from slipway_webhooks.app import Webhooks
from slipway_webhooks.handlers import hooks
from slipway_webhooks.handlers.hooks import Messages, Received, refused
from slipway_webhooks.lane import Answered, LaneServer
from slipway_webhooks.providers import Accepted
from slipway_webhooks.providers.provider import Outcome

LOOPBACK = frozenset({"127.0.0.1", "::1"})
KNOWN_HOSTS = 64
BACKLOG = 1024
DRAIN_STEP_SECONDS = 0.02
log = structlog.get_logger()


class Broken(Fault):
    """Something broke here."""

    status = 500


class Front(Server):
    """The generic server with two shorter ways for deliveries: by request, and (most of them) by the lane."""

    def __init__(self, routes: Any, app: Webhooks, *arguments: Any, allowed_hosts: str, **options: Any) -> None:
        super().__init__(routes, app, *arguments, allowed_hosts=allowed_hosts, **options)
        self._webhooks = app
        self._hosts = Origins(allowed_hosts)
        self._known: set[str] = set()
        self._slow: set[asyncio.Task[None]] = set()

    # A request

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "POST":
            path, _, query = request.raw_path.partition("?")
            parts = path.split("/")
            if len(parts) == 4 and parts[1] == "hooks":
                answer = await self._delivered(request, parts[2], parts[3], _token(query) if query else "")
                return cast("web.StreamResponse", answer)
        return await super().handle(request)

    async def _delivered(self, request: web.BaseRequest, provider: str, link: str, token: str) -> Answer:
        headers = request.headers
        try:
            self._check_host(headers.get("Host", ""))
            if "Expect" in headers:
                await continue_if_expected(request)
            address = client_address(request.remote or "", headers.get("X-Forwarded-For"), LOOPBACK)
            return await hooks.deliver(self._webhooks, request, provider, link, token, address)
        except Fault as fault:
            return refused(fault, token_hex(16), close=True)
        except ConnectionError:
            raise
        except Exception:
            return _broken()

    def _check_host(self, host: str) -> None:
        if host in self._known:
            return
        self._hosts.check_host(host)
        if len(self._known) < KNOWN_HOSTS:
            self._known.add(host)

    # The lane

    def take(self, message: RawRequestMessage, body: bytes, peer: str, answered: Answered) -> bool:
        """A whole delivery of the plainest kind; what is odd in any way takes the longer way."""
        headers = message.headers
        parts = message.path.split("/")
        if (
            len(parts) != 4
            or parts[1] != "hooks"
            or "?" in parts[3]
            or message.should_close
            or message.chunked
            or message.compression
            or "Expect" in headers
            or headers.get("Content-Type") != "application/json"
            or headers.get("Host") not in self._known
            or len(body) > self._webhooks.settings.max_body_bytes
        ):
            return False
        app = self._webhooks
        early = hooks.crowded(app)
        if early is not None:
            answered(early.encoded(message.version), True)
            return True
        forwarded = headers.get("X-Forwarded-For")
        address = peer if forwarded is None else client_address(peer, forwarded, LOOPBACK)
        delivery = _Taken(self, message.version, answered)
        app.open_requests += 1
        try:
            delivery.received = hooks.known(app, parts[2], parts[3], address)
            outcome = hooks.judged(app, delivery.received, headers, body, "")
            delivery.outcome = outcome
            if isinstance(outcome, Accepted):
                delivery.messages = hooks.normalised(app, delivery.received, outcome)
                hooks.put(app, delivery.received, delivery.messages).add_done_callback(delivery.kept)
            else:
                delivery.answer(hooks.answered(app, delivery.received, outcome))
        except (Unavailable, Busy) as fault:
            delivery.wait(fault)
        except Fault as fault:
            delivery.answer(hooks.refusal(app, delivery.received, fault))
        except Exception:
            delivery.answer(_broken())
        return True


class _Taken:
    """A delivery of the lane, until its answer."""

    __slots__ = ("_answered", "_front", "_version", "messages", "outcome", "received")

    def __init__(self, front: Front, version: Any, answered: Answered) -> None:
        self._front = front
        self._version = version
        self._answered = answered
        self.received: Received | None = None
        self.outcome: Outcome | None = None
        self.messages: Messages | None = None

    def kept(self, future: "asyncio.Future[Any]") -> None:
        """The bus has it, or not."""
        if not future.cancelled() and future.exception() is None:
            assert self.received is not None
            assert self.outcome is not None
            self.answer(hooks.answered(self._front._webhooks, self.received, self.outcome))
            return
        fault = None if future.cancelled() else future.exception()
        self.wait(fault if isinstance(fault, Fault) else Unavailable("The bus is away."))

    def wait(self, fault: Fault) -> None:
        """Try again for as long as the sender waits; a fault before there was anything to keep is the answer."""
        if self.messages is None or not isinstance(fault, Unavailable | Busy):
            self.answer(hooks.refusal(self._front._webhooks, self.received, fault))
            return
        task = asyncio.create_task(self._again(fault))
        self._front._slow.add(task)
        task.add_done_callback(self._front._slow.discard)

    async def _again(self, fault: Fault) -> None:
        app = self._front._webhooks
        assert self.received is not None
        assert self.messages is not None
        assert self.outcome is not None
        try:
            await hooks.put_again(app, self.received, self.messages, fault)
            self.answer(hooks.answered(app, self.received, self.outcome))
        except Fault as final:
            self.answer(hooks.refusal(app, self.received, final))
        except asyncio.CancelledError:
            self.answer(hooks.refusal(app, self.received, Unavailable("The gateway stops: send it again.")))
            raise

    def answer(self, answer: Answer) -> None:
        self._front._webhooks.open_requests -= 1
        answer.keep_alive = not answer.close and self._front.ready
        self._answered(answer.encoded(self._version), not answer.keep_alive)


def _broken() -> Answer:
    request_id = token_hex(16)
    log.exception("delivery failed", request_id=request_id)
    return refused(Broken("Something broke here; the request id helps to find out what."), request_id, close=True)


def _token(query: str) -> str:
    """The secret that registries put into the address."""
    for part in query.split("&"):
        if part.startswith("token="):
            return unquote_plus(part[6:])
    return ""


@asynccontextmanager
async def serve_front(
    front: Front, host: str, port: int, *, reuse_port: bool, drain_seconds: float
) -> AsyncIterator[Serving]:
    """Listen until the end of the block; then no connection is taken any more, and what was begun is finished."""
    low = LaneServer(front.handle, front)
    try:
        listener = await asyncio.get_running_loop().create_server(
            low, host, port, backlog=BACKLOG, reuse_port=reuse_port or None
        )
    except OSError as error:
        raise Unavailable(f"Can't listen on {host}:{port}: {error.strerror}.") from error
    serving = Serving(front, low, listener)
    try:
        yield serving
    finally:
        await serving.begin_stop()
        listener.close()
        await _drained(front, drain_seconds)
        await serving.close(drain_seconds)


async def _drained(front: Front, seconds: float) -> None:
    """Deliveries of the lane have no task that the server would wait for."""
    deadline = asyncio.get_running_loop().time() + seconds
    await asyncio.sleep(0)
    while front._webhooks.open_requests and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(DRAIN_STEP_SECONDS)
    for task in list(front._slow):
        task.cancel()
