"""Logging in at an OpenID Connect provider: by redirect for browsers, by device code for command lines.

Somebody is known by issuer and subject. An address links only once, only if the issuer verified it, and only to
somebody who was invited or has an account here.

A browser's login is held together by a secret in a cookie: state, nonce and PKCE verifier follow from it, so another
browser can't finish it, and what the database keeps of it finishes nothing. A state is good once, for ten minutes.
"""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

import structlog
from msgspec import Meta

from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core.api.forms import Answer, Body, Query
from slipway_core.app import Actor, Core, Work, found
from slipway_core.handlers import sessions
from slipway_core.handlers.invitations import EMAIL
from slipway_core.identity_provider import IdentityProvider, ProviderRefused, Registration
from slipway_core.problems import EmailUnverified, LoginStale, NotInvited
from slipway_core.settings import Settings
from slipway_core.stores.users import User
from slipway_errors import Fault, NotFound
from slipway_http import Call
from slipway_http.origins import cookie_name
from slipway_security.id_tokens import Identity

LASTS = timedelta(minutes=10)
COOKIE = "slipway_login"
PATH = "/api/login/oidc"
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
WITHIN = re.compile(r"/(?![/\\])[^\x00-\x20\x7f]{0,1000}")
"""A path of this origin: `//elsewhere` and `/\\elsewhere` are addresses of other hosts."""
KNOWN_WITHIN_SECONDS = 3.0
Long = Annotated[str, Meta(max_length=4096, pattern="^[^\\x00]*$")]
log = structlog.get_logger()


class Outside(Answer, frozen=True, kw_only=True):
    """A provider to log in at."""

    name: str
    url: str
    """Where a browser begins."""


class LoginMethods(Answer, frozen=True, kw_only=True):
    """How one can log in here."""

    password: bool
    oidc: Outside | None


class Begin(Query, frozen=True, kw_only=True):
    to: Long = "/"
    """The page to come back to."""


class Callback(Query, frozen=True, kw_only=True):
    """What the provider sends the browser back with."""

    state: Long = ""
    code: Long = ""
    error: Long = ""
    iss: Long = ""


class DeviceLogin(Answer, frozen=True, kw_only=True):
    """What to show to a person, and how to ask whether they are done."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in_seconds: int
    interval_seconds: int


class DevicePoll(Body, frozen=True, kw_only=True):
    device_code: Long


class DeviceAnswer(Answer, frozen=True, kw_only=True):
    """The login, or after how many more seconds than before to ask again."""

    status: str
    """pending, done."""
    wait_longer_seconds: float = 0
    login: sessions.LoggedIn | None = None


def provider_of(settings: Settings) -> IdentityProvider | None:
    """The provider that the settings name, if they name one."""
    if not settings.oidc_issuer:
        return None
    return IdentityProvider(
        Registration(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret,
            scopes=settings.oidc_scopes,
            redirect_uri=f"{settings.public_url.rstrip('/')}{PATH}/callback",
        )
    )


def _provider(app: Core) -> IdentityProvider:
    if app.identity_provider is None:
        raise NotFound("This platform is not registered at an identity provider.")
    return app.identity_provider


async def methods(app: Core, call: Call[None]) -> LoginMethods:
    """How one can log in here."""
    settings = app.settings
    name = settings.oidc_name or (urlsplit(settings.oidc_issuer).hostname or "")
    oidc = Outside(name=name, url=PATH) if app.identity_provider is not None else None
    return LoginMethods(password=settings.password_login, oidc=oidc)


async def begin(app: Core, call: Call[None]) -> None:
    """Send the browser to the provider."""
    provider = _provider(app)
    app.tries.by_address.take(call.address)
    kept = call.cookie(_cookie(call))
    browser = kept if SECRET.fullmatch(kept) else secrets.token_urlsafe(32)
    state = _new_state(browser)
    url = await provider.authorization_url(state, _derived(browser, "nonce", state), _challenge(browser, state))
    to = call.query.to if WITHIN.fullmatch(call.query.to) else "/"
    async with app.work() as work:
        await work.identities.begin_login(_hash(state), to, work.now + LASTS, work.now)
    _keep(app, call, browser, LASTS)
    _lead(call, url)


async def finish(app: Core, call: Call[None]) -> None:
    """The browser is back: log its person in and go where they wanted, or to the login page with the reason's code."""
    to = "/"
    try:
        to, identity = await _returned(app, call)
        user = await known(app, call, identity)
        sessions.logged_in(app, call, user)
        await app.access.wait_for(f"user.{user.id}", KNOWN_WITHIN_SECONDS)
        _keep(app, call, "", timedelta())
        log.info("logged in", user_id=user.id, issuer=identity.issuer)
        _lead(call, to)
    except Fault as fault:
        log.warning("login refused", code=fault.code, reason=fault.detail)
        _lead(call, f"/login?{urlencode({'problem': fault.code, 'to': to})}")


async def _returned(app: Core, call: Call[None]) -> tuple[str, Identity]:
    provider, given, browser = _provider(app), call.query, call.cookie(_cookie(call))
    if not SECRET.fullmatch(browser) or not _is_own(browser, given.state):
        raise LoginStale("This login was not begun in this browser, or too long ago: begin again.")
    async with app.work() as work:
        to = await work.identities.end_login(_hash(given.state), work.now)
    if to is None:
        raise LoginStale("This login was finished before, or begun too long ago: begin again.")
    if given.iss and given.iss != provider.registration.issuer:
        raise ProviderRefused("The answer is of another identity provider: begin again.")
    if given.error or not given.code:
        raise ProviderRefused(f"The identity provider refused the login ({given.error[:80] or 'no code'}).")
    verifier, nonce = _derived(browser, "verifier", given.state), _derived(browser, "nonce", given.state)
    return to, await provider.redeem(given.code, verifier, nonce)


async def begin_device(app: Core, call: Call[None]) -> DeviceLogin:
    """Begin a login that is finished in a browser elsewhere."""
    provider = _provider(app)
    app.tries.by_address.take(call.address)
    device = await provider.begin_device()
    return DeviceLogin(
        device_code=device.device_code,
        user_code=device.user_code,
        verification_uri=device.verification_uri,
        verification_uri_complete=device.verification_uri_complete or device.verification_uri,
        expires_in_seconds=device.expires_in,
        interval_seconds=device.interval,
    )


async def poll_device(app: Core, call: Call[DevicePoll]) -> DeviceAnswer:
    """Whether the login was finished."""
    provider = _provider(app)
    app.tries.by_address.take(call.address)
    answer = await provider.poll_device(call.body.device_code)
    if not isinstance(answer, Identity):
        return DeviceAnswer(status="pending", wait_longer_seconds=answer)
    user = await known(app, call, answer)
    await app.access.wait_for(f"user.{user.id}", KNOWN_WITHIN_SECONDS)
    log.info("logged in", user_id=user.id, issuer=answer.issuer)
    return DeviceAnswer(status="done", login=sessions.logged_in(app, call, user))


async def known(app: Core, call: Call[Any], identity: Identity) -> User:
    """The user that somebody at the provider is here."""
    actor = Actor(address=call.address, request_id=call.request_id, origin="CONSOLE")
    async with app.work(actor) as work:
        id = await work.identities.user_of(identity.issuer, identity.subject, work.now)
        if id is not None:
            return found(await work.users.get(id))
        if not EMAIL.fullmatch(identity.email) or not identity.email_verified:
            raise EmailUnverified
        user = await work.users.by_email(identity.email)
        user = await _of_invited(work, identity) if user is None else await _proven(work, user)
        await work.identities.add(identity.issuer, identity.subject, user.id, identity.email, work.now)
        await work.copies.add("access", [f"user.{user.id}"])
        await _say(work, user, identity)
    return user


async def _of_invited(work: Work, identity: Identity) -> User:
    if not await work.invitations.waits_for(identity.email, work.now):
        raise NotInvited(f"Nobody invited {identity.email}: ask an administrator of the organization.")
    name = {"name": identity.name} if identity.name else {}
    return await work.users.add(uuid7(), identity.email, "", name, email_proven=True)


async def _proven(work: Work, user: User) -> User:
    """An account that somebody else may have made for this address: their password and logins end here."""
    if not user.email_proven:
        await work.users.take_over(user.id, work.now)
    return user


async def _say(work: Work, user: User, identity: Identity) -> None:
    work.actor = Actor(id=user.id, kind="user", name=user.email, address=work.actor.address, origin="CONSOLE")
    for organization_id in await work.members.organizations_of(user.id):
        await work.changed(
            "member",
            "updated",
            Place(organization_id=organization_id),
            id=user.id,
            name=user.email,
            after={"login": identity.issuer, "email": identity.email},
            target="MEMBERS_AND_ROLES",
        )


def _new_state(browser: str) -> str:
    random = secrets.token_urlsafe(24)
    return f"{random}.{_derived(browser, 'state', random)}"


def _is_own(browser: str, state: str) -> bool:
    random, _, mark = state.partition(".")
    return hmac.compare_digest(mark.encode(), _derived(browser, "state", random).encode())


def _derived(browser: str, what: str, state: str) -> str:
    return _text(hmac.digest(browser.encode(), f"{what} {state}".encode(), "sha256"))


def _challenge(browser: str, state: str) -> str:
    return _text(hashlib.sha256(_derived(browser, "verifier", state).encode()).digest())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _cookie(call: Call[Any]) -> str:
    return cookie_name(COOKIE, call.headers.get("Host", ""))


def _keep(app: Core, call: Call[Any], secret: str, lasts: timedelta) -> None:
    # Lax: the provider's page leads back here, and the cookie must come along.
    secure = app.settings.public_url.startswith("https:")
    seconds = int(lasts.total_seconds())
    call.set_cookie(_cookie(call), secret, seconds, secure=secure, path=PATH, same_site="Lax")


def _lead(call: Call[Any], url: str) -> None:
    call.status = 303
    call.response_headers["Location"] = url
