"""Logging in and out with a password, and what people say of themselves."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec

from slipway_contracts.access import API_AUDIENCE
from slipway_contracts.base import uuid7
from slipway_core.api import answers, bodies
from slipway_core.api.forms import Answer, Body, Limited
from slipway_core.app import Core, found
from slipway_core.callers import actor_of
from slipway_core.problems import LoginRefused, PasswordsOff, wrong
from slipway_core.stores.users import User
from slipway_errors import Forbidden
from slipway_http import Call
from slipway_http.origins import session_cookie
from slipway_security import jwt
from slipway_security.passwords import hash_password, verify_password

_checking = asyncio.Semaphore(2)
"""One check takes 32 MiB and 60 ms."""


class Login(Body, frozen=True, kw_only=True):
    """E-mail and password of a local user."""

    email: Limited
    password: Limited


class LoggedInUser(Answer, frozen=True, kw_only=True):
    """Who has logged in."""

    id: str
    email: str
    name: str


class LoggedIn(Answer, frozen=True, kw_only=True):
    """A login: the token goes into `Authorization: Bearer …`; browsers have it as a cookie, too."""

    token: str
    expires_in_seconds: int
    user: LoggedInUser


async def log_in(app: Core, call: Call[Login]) -> LoggedIn:
    """Give a token for e-mail and password."""
    if not app.settings.password_login:
        raise PasswordsOff
    email = call.body.email.strip()
    app.tries.by_address.take(call.address)
    app.tries.by_email.take(email.lower())
    async with app.reading() as work:
        user = await work.users.by_email(email)
    async with _checking:
        right = await asyncio.to_thread(verify_password, call.body.password, user.password_hash if user else "")
    if user is None or not right:
        raise LoginRefused
    return logged_in(app, call, user)


def logged_in(app: Core, call: Call[Any], user: User) -> LoggedIn:
    """A new login of a user, as a token and as a cookie."""
    lifetime = app.settings.session_lifetime_seconds
    token = jwt.issue(app.signing_key, user.id, API_AUDIENCE, lifetime, sid=uuid7(), email=user.email)
    _keep(app, call, token, lifetime)
    return LoggedIn(
        token=token,
        expires_in_seconds=lifetime,
        user=LoggedInUser(id=user.id, email=user.email, name=_name(user)),
    )


def _keep(app: Core, call: Call[Any], token: str, lifetime: int) -> None:
    name = session_cookie(call.headers.get("Host", ""))
    call.set_cookie(name, token, lifetime, secure=app.settings.public_url.startswith("https:"))


async def log_out(app: Core, call: Call[None]) -> None:
    """End this login; it is void everywhere within two seconds."""
    if call.caller.kind == "user":
        until = call.expires_at or app.clock() + timedelta(days=1)
        async with app.work(actor_of(call)) as work:
            await work.users.end_session(call.caller.id, str(call.caller.claims.get("sid", "")), until)
            await work.copies.add("access", [f"user.{call.caller.id}"])
    _keep(app, call, "", 0)


async def log_out_everywhere(app: Core, call: Call[None]) -> None:
    """End all logins of this person."""
    async with app.work(actor_of(call)) as work:
        await work.users.end_sessions(_person(call), work.now)
        await work.copies.add("access", [f"user.{call.caller.id}"])
    _keep(app, call, "", 0)


async def account(app: Core, call: Call[None]) -> answers.AccountInfo:
    """What is known of the person who asks."""
    async with app.reading() as work:
        return _account(found(await work.users.get(_person(call))))


async def edit_account(app: Core, call: Call[bodies.AccountInfoEditRequest]) -> answers.AccountInfo:
    """Change where messages go."""
    async with app.work(actor_of(call)) as work:
        return _account(await work.users.configure(_person(call), msgspec.to_builtins(call.body)))


class NewPassword(Body, frozen=True, kw_only=True):
    """The password as it is, and as it should be."""

    current: Limited
    new: Limited


SHORTEST_PASSWORD = 10


async def change_password(app: Core, call: Call[NewPassword]) -> LoggedIn:
    """Set another password. All other logins of this person end."""
    app.tries.by_address.take(call.address)
    if len(call.body.new) < SHORTEST_PASSWORD:
        raise wrong(("$.new", f"needs at least {SHORTEST_PASSWORD} characters"))
    async with app.reading() as work:
        user = found(await work.users.get(_person(call)))
    async with _checking:
        right = await asyncio.to_thread(verify_password, call.body.current, user.password_hash)
        if not right:
            raise wrong(("$.current", "is not your password"))
        hashed = await asyncio.to_thread(hash_password, call.body.new)
    async with app.work(actor_of(call)) as work:
        await work.users.set_password(user.id, hashed, work.now)
        await work.copies.add("access", [f"user.{user.id}"])
    return logged_in(app, call, user)


def _person(call: Call[Any]) -> str:
    if call.caller.kind != "user":
        raise Forbidden("An API token is no person: log in for this.")
    return call.caller.id


def _account(user: User) -> answers.AccountInfo:
    return answers.AccountInfo(
        id=user.id,
        created_at=user.created_at,
        nickname=_name(user),
        first_name=str(user.config.get("first_name", "")),
        last_name=str(user.config.get("last_name", "")),
        profile_picture_url=str(user.config.get("profile_picture_url", "")),
        communication_email=str(user.config.get("communication_email", user.email)),
    )


def _name(user: User) -> str:
    return str(user.config.get("name") or user.email.partition("@")[0])
