"""The record of sessions: listed, searched, replayed, ended. Everybody sees their own, an admin all of them."""

import asyncio
import time
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from slipway_contracts.access import Permission
from slipway_errors import Conflict, Fault, NotFound
from slipway_http import Call
from slipway_http.routing import UUID
from slipway_postgres import reading
from slipway_shell.gateway import Gateway
from slipway_shell.recording import Found, found, joined, opened, part_of
from slipway_shell.store import RecordingGone
from slipway_shell.stores.sessions import Sessions, SessionView

ID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
SEARCH_SECONDS = 5.0
SEARCHED = 200


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions."""

    service: Annotated[str, Meta(pattern=ID)] | None = None
    user: str | None = None
    """Id of who had it."""
    open: bool | None = None
    before: Annotated[str, Meta(pattern=ID)] | None = None
    """Id of the oldest session that is known already."""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions, the newest first."""

    results: list[SessionView]


class Search(Filter, frozen=True, kw_only=True):
    """Which sessions, and what to look for in them."""

    text: Annotated[str, Meta(min_length=2, max_length=200)]


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A session in which the text was printed."""

    session: SessionView
    lines: list[Found]


class Hits(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    results: list[Hit]
    searched: int
    """How many recordings were read."""
    complete: bool
    """False: the time for a search was over before all of them were; narrow it, or go on with `before`."""
    next_before: str = ""


class SessionOver(Conflict):
    """The session has ended already."""

    code = "session.over"


async def listed(app: Gateway, call: Call[None]) -> SessionList:
    """Sessions that the caller may see."""
    return SessionList(results=await _list(app, call, call.query, call.query.limit))


async def _list(app: Gateway, call: Call[None], asked: Filter, limit: int) -> list[SessionView]:
    user = asked.user if call.may(Permission.ADMIN) else call.caller.id
    async with reading(app.pool) as connection:
        return await Sessions(connection).list(
            call.place.organization_id,
            user_id=user,
            service_id=asked.service,
            open=asked.open,
            before=asked.before,
            limit=limit,
        )


async def one(app: Gateway, call: Call[None]) -> SessionView:
    """A session that the caller may see."""
    session_id = call.path["sessionId"]
    if not UUID.fullmatch(session_id):
        raise NotFound("There is no such session.")
    user = None if call.may(Permission.ADMIN) else call.caller.id
    async with reading(app.pool) as connection:
        rows = await Sessions(connection).list(call.place.organization_id, user_id=user, id=session_id, limit=1)
    if not rows:
        raise NotFound("There is no such session.")
    return rows[0]


async def recording(app: Gateway, request: web.Request, call: Call[None]) -> web.StreamResponse:
    """What a session printed, all its parts as one asciicast."""
    session = await one(app, call)
    cast = await _cast(app, session)
    headers = {"Content-Disposition": f'attachment; filename="{session.id}.cast"', "Cache-Control": "no-store"}
    return web.Response(body=cast, content_type="application/x-asciicast", headers=headers)


async def _cast(app: Gateway, session: SessionView) -> bytes:
    if not session.recording:
        raise RecordingGone("This session was not recorded.")
    parts = []
    for part in range(1, session.parts + 1):
        content = await app.store.read(part_of(session.recording, part))
        parts.append(await asyncio.to_thread(opened, content, app.key))
    return joined(parts)


async def search(app: Gateway, call: Call[None]) -> Hits:
    """Read recordings, the newest first, until the time for it is over."""
    asked: Search = call.query
    hits: list[Hit] = []
    ends, searched, last = time.monotonic() + SEARCH_SECONDS, 0, ""
    sessions = await _list(app, call, asked, SEARCHED)
    for session in sessions:
        if time.monotonic() > ends:
            break
        searched, last = searched + 1, session.id
        lines = await _found(app, session, asked.text)
        if lines:
            hits.append(Hit(session=session, lines=lines))
    complete = searched == len(sessions) < SEARCHED
    return Hits(results=hits, searched=searched, complete=complete, next_before="" if complete else last)


async def _found(app: Gateway, session: SessionView, text: str) -> list[Found]:
    """A recording that is gone or can't be read has nothing in it."""
    try:
        return await asyncio.to_thread(found, await _cast(app, session), text)
    except (Fault, OSError):
        return []


async def end(app: Gateway, call: Call[None]) -> None:
    """End a session; within two seconds, whichever gateway holds it."""
    session = await one(app, call)
    if not await app.end_wanted(session.id, f"ended by {call.caller.name}"):
        raise SessionOver
