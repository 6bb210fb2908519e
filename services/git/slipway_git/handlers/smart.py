"""Git's smart HTTP: clone and fetch with READ on the service, push with DEPLOY, engines by a key for one repository.

git clients send Basic credentials: any user name, and as password an API token, or the short-lived JWT that core gives
to an engine with its task.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from slipway_contracts.access import GIT_AUDIENCE, Permission
from slipway_contracts.base import uuid7
from slipway_contracts.git import GitLink
from slipway_errors import Fault, NotFound, Unauthenticated
from slipway_git import backend
from slipway_git.app import Git
from slipway_git.problems import NoSuchRepository, PasswordNeeded, TooManyTransfers
from slipway_http import Call, problem_of

UPLOAD, RECEIVE = "git-upload-pack", "git-receive-pack"


@dataclass(frozen=True)
class Allowed:
    """Who may do it, and with which repository."""

    link: GitLink
    pusher: str = ""


async def refs(app: Git, request: web.BaseRequest, call: Call[None]) -> web.StreamResponse:
    """GET info/refs: the beginning of every clone, fetch and push."""
    service = request.rel_url.query.get("service", "")
    if service not in (UPLOAD, RECEIVE):
        return _said(403, "This remote speaks Git's smart HTTP only: use a git client of this decade.")
    return await _served(app, request, call, service, "/info/refs")


async def upload(app: Git, request: web.BaseRequest, call: Call[None]) -> web.StreamResponse:
    """POST git-upload-pack: objects to the client."""
    return await _served(app, request, call, UPLOAD, f"/{UPLOAD}")


async def receive(app: Git, request: web.BaseRequest, call: Call[None]) -> web.StreamResponse:
    """POST git-receive-pack: objects from the client; what moved is told to the webhook gateway."""
    return await _served(app, request, call, RECEIVE, f"/{RECEIVE}")


async def _served(app: Git, request: web.BaseRequest, call: Call[None], service: str, path: str) -> web.StreamResponse:
    try:
        allowed = await _allowed(app, request, call, service)
        if app.transfers.locked():
            raise TooManyTransfers
        async with app.transfers:
            return await _transferred(app, request, allowed, path)
    except PasswordNeeded as fault:
        return _said(401, fault.detail, {"WWW-Authenticate": 'Basic realm="Slipway", charset="UTF-8"'})
    except Fault as fault:
        status, _, headers = problem_of(fault, "")
        headers.pop("Content-Type", None)
        return _said(status, fault.detail, headers)


async def _transferred(app: Git, request: web.BaseRequest, allowed: Allowed, path: str) -> web.StreamResponse:
    service_id = allowed.link.service_id
    repository = await app.repositories.ensure(service_id)
    environment = app.repositories.environment | {
        "GIT_PROJECT_ROOT": str(repository.parent),
        "REMOTE_USER": "slipway",
        "SLIPWAY_PUSHER": allowed.pusher,
        "SLIPWAY_PUSH": (push := uuid7()),
    }

    def begun(body: bytes) -> None:
        if b"quiet" in _capabilities(body):
            app.quiet.add(push)

    try:
        return await backend.exchange(request, environment, f"/{repository.name}{path}", app.limits, begun)
    finally:
        app.quiet.discard(push)
        # The hook has told already, unless it could not.
        if path == f"/{RECEIVE}" and await app.deliveries.look(service_id, allowed.pusher):
            await app.deliveries.send(service_id)


def _capabilities(body: bytes) -> list[bytes]:
    """What a pushing client asks for: behind the first command of its request."""
    return body.partition(b"\0")[2].partition(b"\n")[0].partition(b"0000")[0].split(b" ")


async def _allowed(app: Git, request: web.BaseRequest, call: Call[None], service: str) -> Allowed:
    """The repository of this path, if these credentials may do that with it."""
    password = _password(request.headers.get("Authorization", ""))
    repository = f"{call.path['project']}/{call.path['repository'].removesuffix('.git')}"
    if password.count(".") == 2:
        return await _engine(app, password, repository, service)
    try:
        caller = app.access.authenticate(f"Token {password}")
    except Unauthenticated:
        raise PasswordNeeded from None
    link = await app.links.find(repository)
    place = await app.locate("service", link.service_id)
    try:
        app.access.authorize(caller, Permission.DEPLOY if service == RECEIVE else Permission.READ, place)
    except NotFound:
        raise NoSuchRepository from None
    return Allowed(link, caller.name)


async def _engine(app: Git, password: str, repository: str, service: str) -> Allowed:
    """A key of core for reading one repository."""
    try:
        claims: dict[str, Any] = app.access.verify_claims(password, GIT_AUDIENCE)
    except Unauthenticated:
        raise PasswordNeeded from None
    if service != UPLOAD or claims.get("repository") != repository:
        raise NoSuchRepository
    return Allowed(await app.links.find(repository))


def _password(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise PasswordNeeded
    try:
        password = base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        raise PasswordNeeded from None
    if not password or any(sign.isspace() for sign in password):
        raise PasswordNeeded
    return password


def _said(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    """An answer in plain text: git shows it to its user."""
    return web.Response(status=status, text=f"{text}\n", headers=headers)
