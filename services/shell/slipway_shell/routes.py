"""Every socket that can be opened here, as data.

Which service is meant stands in the query, as the reference has it, so its permission (SHELL, at the service's place)
is asked for in the handler, before anything else, and again whenever rights change.
"""

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

from aiohttp import web

from slipway_contracts.access import Permission
from slipway_contracts.places import Place
from slipway_errors import Fault, Forbidden, Invalid, NotFound, Unauthenticated
from slipway_http import Call, Route
from slipway_http.routing import UUID
from slipway_security.access import Caller
from slipway_shell.codes import AGENT, DONE, PERMISSION, POLICY, Close
from slipway_shell.framing import PROTOCOLS, framing_for
from slipway_shell.gateway import Gateway
from slipway_shell.session import CLOSE_SECONDS, NEEDS, Wanted

if TYPE_CHECKING:
    from multidict import MultiMapping

COMMAND = re.compile(r"command(?:\[(\d{1,3})\])?")
COMMAND_PARTS = 256
COMMAND_BYTES = 32 * 1024
NAME = re.compile(r"[A-Za-z0-9._-]{0,253}")
LARGEST_SIZE = 1000
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
    ws = web.WebSocketResponse(
        timeout=CLOSE_SECONDS / 2,
        heartbeat=app.settings.ping_seconds,
        max_msg_size=app.settings.message_bytes,
        compress=False,
        protocols=PROTOCOLS,
    )
    ws.headers["X-Request-Id"] = ws.headers["X-Qovery-Request-Id"] = call.request_id
    await ws.prepare(request)
    close = await _session(app, request, call, ws)
    if close.code != DONE:
        await _tell_end(ws, close)
    await _close(request, ws, close)
    return ws


async def _close(request: web.Request, ws: web.WebSocketResponse, close: Close) -> None:
    """Say the code; a client that takes nothing any more is cut off."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await ws.close(code=close.code, message=close.reason.encode()[:120])
    except (TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()


async def _tell_end(ws: web.WebSocketResponse, close: Close) -> None:
    """Where the form of the messages has a word for it, the reason goes out before the close."""
    for message in framing_for(ws.ws_protocol, tty=True).end(None, close.reason):
        with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await ws.send_bytes(message)


async def _session(app: Gateway, request: web.Request, call: Call[None], ws: web.WebSocketResponse) -> Close:
    try:
        caller = caller_of(app, request, call)
        wanted = wish(await place_of(app, caller, request.query), request.query)
    except Forbidden:
        return Close(PERMISSION, "You may see this service, but not open a shell in it.")
    except Unauthenticated as fault:
        return Close(POLICY, fault.detail)
    except NotFound:
        return Close(POLICY, "There is no such service.")
    except Invalid as fault:
        return Close(POLICY, fault.detail)
    except Fault as fault:
        return Close(AGENT, fault.detail)
    return await app.run(ws, caller, wanted, call.address)


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


def wish(place: Place, query: "MultiMapping[str]") -> Wanted:
    """What the query asks for; Invalid for what can't be."""
    process = query.get("pod_name", "")
    if not NAME.fullmatch(process):
        raise Invalid("This is no name of a process.")
    columns, rows = (_size(query.get(name, ""), usual) for name, usual in (("tty_width", 80), ("tty_height", 24)))
    # The reference has no word for "no terminal" but a size of nothing; ours is `tty`.
    tty = query.get("tty", "true") == "true" and rows > 0 and columns > 0
    return Wanted(
        place=place,
        process=process,
        command=command(list(query.items())),
        tty=tty,
        columns=columns or 80,
        rows=rows or 24,
    )


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


ROUTES = [
    Route(
        "GET",
        "/shell/exec",
        execute,
        needs=Permission.PUBLIC,
        raw=True,
        summary="A terminal or command beside a service (needs `shell` there)",
        tag="Shell",
    ),
]
