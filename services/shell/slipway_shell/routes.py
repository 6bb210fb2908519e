"""Every socket that can be opened here, as data.

Which service is meant stands in the query, as the reference has it, so its permission (SHELL, at the service's place)
is asked for in the handler, before anything else, and again whenever rights change.
"""

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any

from aiohttp import web

from slipway_contracts.access import Permission
from slipway_contracts.places import Place
from slipway_errors import Fault, Forbidden, Invalid, NotFound, Unauthenticated
from slipway_http import Call, Route
from slipway_http.routing import UUID
from slipway_security.access import Caller
from slipway_shell.client import Client
from slipway_shell.codes import AGENT, DONE, PERMISSION, POLICY, RESTART, Close
from slipway_shell.framing import PROTOCOLS, Framing, framing_for
from slipway_shell.gateway import Gateway
from slipway_shell.handlers import rules, sessions
from slipway_shell.session import NEEDS, ComeBack, Wanted
from slipway_shell.stores.rules import Approval, Rule
from slipway_shell.stores.sessions import SessionView

if TYPE_CHECKING:
    from multidict import MultiMapping

COMMAND = re.compile(r"command(?:\[(\d{1,3})\])?")
COMMAND_PARTS = 256
COMMAND_BYTES = 32 * 1024
NAME = re.compile(r"[A-Za-z0-9._-]{0,253}")
LARGEST_SIZE = 1000
REASON_CHARACTERS = 500
LAST_PORT = 65535
CLOSE_SECONDS = 2.0
BEARER = "auth.bearer."
ABOVE = {
    "organization": "organization_id",
    "cluster": "cluster_id",
    "project": "project_id",
    "environment": "environment_id",
}
"""What a client may say of where the service is; it must be so."""


async def execute(app: Gateway, request: web.Request, call: Call[None]) -> web.StreamResponse:
    """A terminal, or a command, beside a service."""
    return await _socket(app, request, call, "shell")


async def ephemeral(app: Gateway, request: web.Request, call: Call[None]) -> web.StreamResponse:
    """The same in a fresh copy of the service, which goes with the session."""
    return await _socket(app, request, call, "ephemeral")


async def forward(app: Gateway, request: web.Request, call: Call[None]) -> web.StreamResponse:
    """A connection to a port on which the service listens."""
    return await _socket(app, request, call, "forward")


async def watch(app: Gateway, request: web.Request, call: Call[None]) -> web.StreamResponse:
    """Look on at somebody's session; the person sees it."""
    ws = await _accepted(app, request, call)
    client = Client(request, ws, framing_for(ws.ws_protocol, ends_by_byte=False), call.caller.name)
    try:
        session = await sessions.one(app, call)
        close = await app.watch(client, session.id, call.caller, call.address)
    except Fault as fault:
        close = _refusal(fault)
    return await _ended(request, ws, client.framing, close)


async def _accepted(app: Gateway, request: web.Request, call: Call[None]) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(
        timeout=CLOSE_SECONDS / 2,
        heartbeat=app.settings.ping_seconds,
        max_msg_size=app.settings.message_bytes,
        compress=False,
        protocols=PROTOCOLS,
    )
    ws.headers["X-Request-Id"] = ws.headers["X-Qovery-Request-Id"] = call.request_id
    await ws.prepare(request)
    return ws


async def _socket(app: Gateway, request: web.Request, call: Call[None], kind: str) -> web.StreamResponse:
    ws = await _accepted(app, request, call)
    framing = framing_for(ws.ws_protocol, ends_by_byte=kind != "forward" and not _wants_tty(request.query))
    try:
        caller = caller_of(app, request, call)
        wanted = wish(await place_of(app, caller, request.query), request.query, kind)
        client = Client(request, ws, framing, caller.name)
        back = come_back(request.query)
        if back is not None and framing.resumable:
            close = await app.resume(client, caller, wanted, back)
        else:
            close = await app.open(client, caller, wanted, call.address)
    except Fault as fault:
        close = _refusal(fault)
    return await _ended(request, ws, framing, close)


def _refusal(fault: Fault) -> Close:
    match fault:
        case Forbidden():
            return Close(PERMISSION, "You may see this service, but not open a shell in it.")
        case NotFound():
            return Close(POLICY, fault.detail or "There is no such service.")
        case Unauthenticated() | Invalid():
            return Close(POLICY, fault.detail)
        case _:
            return Close(AGENT, fault.detail)


async def _ended(
    request: web.Request, ws: web.WebSocketResponse, framing: Framing, close: Close
) -> web.WebSocketResponse:
    """Where the form of the messages has a word for it, the reason goes out before the close.

    Not to a client that comes back: for it, a restart of the gateway is no end.
    """
    if close.code != DONE and not (framing.resumable and close.code == RESTART):
        for message in framing.end(None, close.reason):
            with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await ws.send_bytes(message)
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await ws.close(code=close.code, message=close.reason.encode()[:120])
    except (TimeoutError, ConnectionError):
        # A client that takes nothing any more is cut off.
        if request.transport is not None:
            request.transport.abort()
    return ws


def caller_of(app: Gateway, request: web.Request, call: Call[None]) -> Caller:
    """Who asks: by header or cookie, or by a token among the sub-protocols (a browser can send no header)."""
    if call.caller.id:
        return call.caller
    for protocol in request.headers.get("Sec-WebSocket-Protocol", "").split(","):
        name = protocol.strip()
        if name.startswith(BEARER):
            return app.access.authenticate(f"Bearer {name.removeprefix(BEARER)}")
    # Says what is wrong with a header that names nobody.
    return app.access.authenticate(request.headers.get("Authorization"))


async def place_of(app: Gateway, caller: Caller, query: "MultiMapping[str]") -> Place:
    """Where the service stands, once the right to a shell there is checked."""
    service = query.get("service", "")
    if not UUID.fullmatch(service):
        raise NotFound
    place = await app.locate("service", service.lower())
    app.access.authorize(caller, NEEDS, place)
    if place is None or not place.cluster_id:
        raise NotFound
    for name, attribute in ABOVE.items():
        said = query.get(name, "")
        if said and said.lower() != getattr(place, attribute):
            raise NotFound
    return place


def wish(place: Place, query: "MultiMapping[str]", kind: str = "shell") -> Wanted:
    """What the query asks for; Invalid for what can't be."""
    if kind == "forward":
        return Wanted(place=place, kind=kind, tty=False, port=_port(query), process=_process(query), reason=_why(query))
    columns, rows = (_size(query.get(name, ""), usual) for name, usual in (("tty_width", 80), ("tty_height", 24)))
    return Wanted(
        place=place,
        kind=kind,
        process=_process(query),
        command=command(list(query.items())),
        tty=_wants_tty(query) and rows > 0 and columns > 0,
        columns=columns or 80,
        rows=rows or 24,
        reason=_why(query),
    )


def _wants_tty(query: "MultiMapping[str]") -> bool:
    """The reference has no word for "no terminal" but a size of nothing; ours is `tty`."""
    nothing = "0" in (query.get("tty_width"), query.get("tty_height"))
    return query.get("tty", "true") == "true" and not nothing


def _process(query: "MultiMapping[str]") -> str:
    process = query.get("pod_name", "")
    if not NAME.fullmatch(process):
        raise Invalid("This is no name of a process.")
    return process


def _why(query: "MultiMapping[str]") -> str:
    reason = query.get("reason", "").strip()
    if len(reason) > REASON_CHARACTERS or not reason.isprintable():
        raise Invalid(f"A reason is a line of at most {REASON_CHARACTERS} characters.")
    return reason


def _port(query: "MultiMapping[str]") -> int:
    text = query.get("port", "0") or "0"
    if not text.isdecimal() or len(text) > 5 or int(text) > LAST_PORT:
        raise Invalid("A port is a number up to 65535.")
    return int(text)


def come_back(query: "MultiMapping[str]") -> ComeBack | None:
    """What a client says that comes back after a break; None for a new session."""
    session, secret, received = (query.get(name, "") for name in ("session", "resume", "received"))
    if not session:
        return None
    if not UUID.fullmatch(session) or not secret or not received.isdecimal() or len(received) > 18:
        raise Invalid("To come back, say session, resume and received.")
    return ComeBack(session.lower(), secret[:200], int(received))


def command(pairs: list[tuple[str, str]]) -> list[str]:
    """`command[0]=ls&command[1]=-l`, or `command=ls&command=-l`: the parts in order, never one line for a shell."""
    numbered: dict[int, str] = {}
    plain: list[str] = []
    for name, value in pairs:
        found = COMMAND.fullmatch(name)
        if found is None:
            continue
        if found[1] is None:
            plain.append(value)
        else:
            numbered[int(found[1])] = value
    parts = [numbered[number] for number in sorted(numbered)] or plain
    parts = [] if parts == [""] else parts
    if len(parts) > COMMAND_PARTS or sum(len(part.encode()) for part in parts) > COMMAND_BYTES:
        raise Invalid("This command is too long.")
    if any("\0" in part for part in parts) or (parts and not parts[0]):
        raise Invalid("This command can't be run.")
    return parts


def _size(text: str, usual: int) -> int:
    if not text:
        return usual
    if not text.isdecimal() or len(text) > 12:
        raise Invalid("A size of a terminal is a number of columns or rows.")
    return min(int(text), LARGEST_SIZE)


def _sockets(path: str, handler: Any, summary: str) -> Route:
    return Route("GET", path, handler, needs=Permission.PUBLIC, raw=True, summary=summary, tag="Shell")


def _of_organization(method: str, path: str, handler: Any, needs: Permission, summary: str, **more: Any) -> Route:
    path = f"/shell/organization/{{organizationId}}{path}"
    return Route(method, path, handler, needs=needs, of="organization", summary=summary, tag="Sessions", **more)


READ, ADMIN = Permission.READ, Permission.ADMIN
ROUTES = [
    _sockets("/shell/exec", execute, "A terminal or command beside a service (needs `shell` there)"),
    _sockets("/shell/ephemeral", ephemeral, "The same in a fresh copy of the service"),
    _sockets("/shell/portforward", forward, "A connection to a port of a service (needs `shell` there)"),
    _of_organization("GET", "/session/{sessionId}/watch", watch, ADMIN, "Look on at a session", raw=True),
    _of_organization(
        "GET",
        "/session",
        sessions.listed,
        READ,
        "List sessions: one's own, or all for an admin",
        query=sessions.Filter,
        returns=sessions.SessionList,
    ),
    _of_organization(
        "GET",
        "/session/search",
        sessions.search,
        READ,
        "Find what was printed in recorded sessions",
        query=sessions.Search,
        returns=sessions.Hits,
    ),
    _of_organization(
        "GET",
        "/session/{sessionId}",
        sessions.one,
        READ,
        "One session",
        returns=SessionView,
    ),
    _of_organization(
        "GET",
        "/session/{sessionId}/recording",
        sessions.recording,
        READ,
        "What it printed, as asciicast v2",
        raw=True,
    ),
    _of_organization(
        "DELETE",
        "/session/{sessionId}",
        sessions.end,
        READ,
        "End a session, wherever it is held",
        status=202,
    ),
    _of_organization(
        "GET",
        "/rule",
        rules.listed,
        READ,
        "What is asked for before a session",
        returns=rules.RuleList,
    ),
    _of_organization(
        "PUT",
        "/rule",
        rules.change,
        ADMIN,
        "Ask for a reason or an approval in environments of a mode",
        body=Rule,
        returns=Rule,
    ),
    _of_organization(
        "GET",
        "/approval",
        rules.approvals,
        READ,
        "Who asked for sessions: oneself, or all for an admin",
        returns=rules.ApprovalList,
    ),
    _of_organization(
        "POST",
        "/approval/{approvalId}",
        rules.decide,
        ADMIN,
        "Say yes or no to somebody else's wish",
        body=rules.Decision,
        returns=Approval,
    ),
]
