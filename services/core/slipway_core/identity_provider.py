"""An OpenID Connect provider, as its client: where it is asked, its keys, codes for identities.

What the provider publishes of itself is kept for an hour, and goes on being used while it is away; a key that is not
known is looked for at once, but not more often than every few seconds, however many tokens name one.
"""

import asyncio
import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import msgspec

from slipway_core.outgoing import FAILURES, Outgoing, read_at_most, why
from slipway_errors import Forbidden, NotFound, Unauthenticated, Unavailable
from slipway_security.id_tokens import Identity, KeyUnknown, identity_of, verify

TIMEOUT_SECONDS = 8.0
MAX_ANSWER_BYTES = 512 * 1024
KEPT_SECONDS = 3600.0
KEYS_PAUSE_SECONDS = 10.0
AGAIN_SECONDS = 10.0
"""Before a provider that did not answer is asked about itself again, where something older is known."""
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DEVICE_INTERVAL_SECONDS = 5
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class ProviderAway(Unavailable):
    """The identity provider can't be asked."""

    code = "auth.oidc_unavailable"


class ProviderRefused(Unauthenticated):
    """The identity provider refused the login."""

    code = "auth.oidc_refused"


class DeviceRefused(Forbidden):
    """The login was refused, or took too long."""

    code = "auth.device_refused"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """How this platform is known to the provider."""

    issuer: str
    client_id: str
    client_secret: str
    scopes: str
    redirect_uri: str


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider publishes of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    device_authorization_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    keys: list[dict[str, Any]]


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    id_token: str
    access_token: str = ""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A login that a person finishes in a browser elsewhere."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str = ""
    expires_in: int = 600
    interval: int = DEVICE_INTERVAL_SECONDS


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """How providers refuse (RFC 6749)."""

    error: str = ""


class _Said(Exception):
    """The provider's refusal."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class IdentityProvider:
    """One provider. Its host may be inside, since who runs the platform named it; others must be outside."""

    def __init__(self, registration: Registration) -> None:
        self.registration = registration
        self._host = urlsplit(registration.issuer).hostname or ""
        self._outgoing = Outgoing(frozenset({self._host}))
        self._metadata: Metadata | None = None
        self._metadata_until = 0.0
        self._keys: list[dict[str, Any]] = []
        self._keys_at = float("-inf")
        self._lock = asyncio.Lock()
        _check_url(registration.issuer, self._host)

    async def authorization_url(self, state: str, nonce: str, challenge: str) -> str:
        """Where a browser goes to log in."""
        asked = {
            "response_type": "code",
            "client_id": self.registration.client_id,
            "redirect_uri": self.registration.redirect_uri,
            "scope": self.registration.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = (await self._known()).authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def redeem(self, code: str, verifier: str, nonce: str) -> Identity:
        """Who came back with this code, from the login that had this verifier and nonce."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.registration.redirect_uri,
            "code_verifier": verifier,
        }
        try:
            return await self._identity(await self._post(Tokens, (await self._known()).token_endpoint, form), nonce)
        except _Said as said:
            raise ProviderRefused(f"The identity provider refused the login ({said.error}): begin again.") from said

    async def begin_device(self) -> Device:
        """A code to type in at the provider."""
        endpoint = (await self._known()).device_authorization_endpoint
        if not endpoint:
            raise NotFound("The identity provider offers no login by device code: use an API token.")
        try:
            device: Device = await self._post(Device, endpoint, {"scope": self.registration.scopes})
            return device
        except _Said as said:
            raise ProviderRefused(f"The identity provider refused a device login ({said.error}).") from said

    async def poll_device(self, device_code: str) -> Identity | float:
        """Who logged in with the code, or after how many more seconds than before to ask again."""
        form = {"grant_type": DEVICE_GRANT, "device_code": device_code}
        try:
            tokens = await self._post(Tokens, (await self._known()).token_endpoint, form)
        except _Said as said:
            if said.error in ("authorization_pending", "slow_down"):
                return 5.0 if said.error == "slow_down" else 0.0
            raise DeviceRefused(f"The login was refused, or took too long ({said.error}): begin again.") from said
        return await self._identity(tokens, None)

    async def _identity(self, tokens: Tokens, nonce: str | None) -> Identity:
        claims = await self._verified(tokens.id_token, nonce)
        endpoint = (await self._known()).userinfo_endpoint
        more: dict[str, Any] = {}
        if endpoint and tokens.access_token and not ("email" in claims and "email_verified" in claims):
            more = await self._get(dict[str, Any], endpoint, {"Authorization": f"Bearer {tokens.access_token}"})
        return identity_of(self.registration.issuer, claims, more)

    async def _verified(self, token: str, nonce: str | None) -> dict[str, Any]:
        for again in (False, True):
            keys = await self._published_keys(again)
            try:
                return verify(
                    token,
                    keys,
                    issuer=self.registration.issuer,
                    client_id=self.registration.client_id,
                    nonce=nonce,
                    now=time.time(),
                )
            except KeyUnknown:
                if again:
                    raise
        raise AssertionError("one of the two ends it")

    async def _published_keys(self, again: bool) -> list[dict[str, Any]]:
        """The issuer's keys; with `again` asked for anew unless that was just done."""
        async with self._lock:
            age = time.monotonic() - self._keys_at
            if age < (KEYS_PAUSE_SECONDS if again else KEPT_SECONDS):
                return self._keys
            try:
                uri = (await self._fresh()).jwks_uri
                self._keys = (await self._get(KeySet, uri, {})).keys
                self._keys_at = time.monotonic()
            except ProviderAway:
                if not self._keys:
                    raise
                self._keys_at = time.monotonic() - KEPT_SECONDS + AGAIN_SECONDS
            return self._keys

    async def _known(self) -> Metadata:
        async with self._lock:
            return await self._fresh()

    async def _fresh(self) -> Metadata:
        now = time.monotonic()
        if self._metadata is not None and now < self._metadata_until:
            return self._metadata
        try:
            self._metadata = await self._published()
            self._metadata_until = now + KEPT_SECONDS
        except ProviderAway:
            if self._metadata is None:
                raise
            self._metadata_until = now + AGAIN_SECONDS
        return self._metadata

    async def _published(self) -> Metadata:
        issuer = self.registration.issuer
        found: Metadata = await self._get(Metadata, f"{issuer.rstrip('/')}/.well-known/openid-configuration", {})
        if found.issuer != issuer:
            raise ProviderAway(f"The identity provider calls itself {found.issuer[:200]}, not {issuer}.")
        used = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
        for url in (*used, found.userinfo_endpoint, found.device_authorization_endpoint):
            if url or url in used:
                _check_url(url, self._host)
        return found

    async def _get(self, kind: type[Any], url: str, headers: Mapping[str, str]) -> Any:
        try:
            return await self._asked("GET", kind, url, headers, None)
        except _Said as said:
            raise ProviderAway(f"The identity provider tells nothing at {url} ({said.error}).") from said

    async def _post(self, kind: type[Any], url: str, form: dict[str, str]) -> Any:
        """As this client: by name alone, or with its secret."""
        registration, metadata = self.registration, await self._known()
        id, secret = registration.client_id, registration.client_secret
        headers: dict[str, str] = {}
        if secret and "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            login = f"{quote(id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        elif secret:
            form = form | {"client_id": id, "client_secret": secret}
        else:
            form = form | {"client_id": id}
        return await self._asked("POST", kind, url, headers, form)

    async def _asked(
        self, method: str, kind: type[Any], url: str, headers: Mapping[str, str], form: dict[str, str] | None
    ) -> Any:
        host = urlsplit(url).hostname or ""
        if not self._outgoing.may_ask(host):
            raise ProviderAway(f"The identity provider names {host}, which is a host inside: it is not asked.")
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._outgoing.session(host, TIMEOUT_SECONDS) as session,
                session.request(
                    method,
                    url,
                    headers={"Accept": "application/json", **headers},
                    data=form,
                    allow_redirects=False,
                ) as answer,
            ):
                return _read(kind, answer, await read_at_most(answer, MAX_ANSWER_BYTES))
        except FAILURES as error:
            raise ProviderAway(f"{host} can't be asked: {why(error, TIMEOUT_SECONDS)}.") from error


def _read(kind: type[Any], answer: aiohttp.ClientResponse, body: bytes) -> Any:
    """The answer; `_Said` for a refusal in OAuth's form, ValueError for everything else."""
    if answer.status in (400, 401, 403):
        try:
            error = msgspec.json.decode(body, type=Problem).error
        except (msgspec.DecodeError, ValueError):
            error = ""
        if error:
            raise _Said(error[:80])
    if answer.status != 200:
        raise ValueError(f"it answers {answer.status}")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"its answer can't be read: {error}") from error


def _check_url(url: str, issuer_host: str) -> None:
    """Only https, and http to this very machine."""
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in LOOPBACK and issuer_host in LOOPBACK
    if not parts.hostname or parts.username is not None or parts.fragment or not (parts.scheme == "https" or local):
        raise ProviderAway(f"The identity provider's address {url[:200]} is not one of https://.")
