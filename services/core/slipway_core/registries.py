"""Asking container registries what they hold: the OCI distribution API, with its token handshake.

Addresses come from users: requests go out by `outgoing`, follow no redirect, and end after a bounded time and size. A
password goes to the registry, and to the token service that the registry names, by https.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import aiohttp
import msgspec

from slipway_core.images import HUB, host_of
from slipway_core.outgoing import FAILURES, Outgoing, read_at_most, why
from slipway_errors import Conflict, Unavailable

TIMEOUT_SECONDS = 8.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_PAGES = 10
PAGE = 1000
HUB_API = "https://registry-1.docker.io"
MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class RegistryUnknown(Unavailable):
    """The container registry could not be asked."""

    code = "registry.unknown"


class RegistryRefuses(Conflict):
    """The container registry doesn't let us in, or doesn't offer that."""

    code = "registry.refuses"


@dataclass(frozen=True)
class Registry:
    """Where a registry is, and how to log in there."""

    url: str
    user: str = ""
    password: str = ""

    @property
    def host(self) -> str:
        return host_of(self.url)

    @property
    def api(self) -> str:
        if self.host == HUB:
            return HUB_API
        parts = urlsplit(self.url)
        return f"{parts.scheme or 'https'}://{parts.netloc}"

    def repository(self, image: str) -> str:
        """As the registry itself calls it."""
        return f"library/{image}" if self.host == HUB and "/" not in image else image


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


class _Catalog(msgspec.Struct):
    repositories: list[str] | None = None


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


@dataclass(frozen=True)
class Registries:
    """Asks registries."""

    outgoing: Outgoing

    async def tags(self, registry: Registry, image: str) -> list[str] | None:
        """The tags of an image, as the registry orders them; None when it has no such image."""
        name = registry.repository(image)
        return await self._list(registry, f"/v2/{quote(name)}/tags/list", f"repository:{name}:pull", _Tags, "tags")

    async def catalog(self, registry: Registry) -> list[str]:
        """The images of a registry. RegistryRefuses where it tells nobody."""
        found = await self._list(registry, "/v2/_catalog", "registry:catalog:*", _Catalog, "repositories")
        if found is None:
            raise RegistryRefuses(f"{registry.host} doesn't list its images: name one.", host=registry.host)
        return found

    async def has(self, registry: Registry, image: str, reference: str) -> bool:
        """Whether an image has a tag (or digest)."""
        name = registry.repository(image)
        path, scope = f"/v2/{quote(name)}/manifests/{quote(reference)}", f"repository:{name}:pull"
        async with _asking(self.outgoing, registry) as asking:
            status, _, _ = await asking.ask("HEAD", registry.api + path, scope)
        return status == 200

    async def _list(self, registry: Registry, path: str, scope: str, kind: Any, field: str) -> list[str] | None:
        found: list[str] = []
        url = f"{registry.api}{path}?n={PAGE}"
        async with _asking(self.outgoing, registry) as asking:
            for _ in range(MAX_PAGES):
                status, headers, body = await asking.ask("GET", url, scope)
                if status == 404:
                    return None
                found += getattr(msgspec.json.decode(body, type=kind), field) or []
                following = NEXT.search(headers.get("Link", ""))
                if following is None:
                    break
                url = _beside(url, following[1])
        return found


def _beside(url: str, link: str) -> str:
    """The next page, which must be at the same place."""
    following = urljoin(url, link)
    if urlsplit(following)[:2] != urlsplit(url)[:2]:
        raise ValueError("it continues elsewhere")
    return following


@asynccontextmanager
async def _asking(outgoing: Outgoing, registry: Registry) -> AsyncIterator["_Asking"]:
    """A conversation with one registry; RegistryUnknown when it breaks off."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield _Asking(outgoing, registry)
    except (*FAILURES, msgspec.DecodeError) as error:
        reason = why(error, TIMEOUT_SECONDS)
        raise RegistryUnknown(f"The registry {registry.host} can't be asked: {reason}.", host=registry.host) from error


class _Asking:
    def __init__(self, outgoing: Outgoing, registry: Registry) -> None:
        self._outgoing = outgoing
        self._registry = registry
        self._authorization = ""

    async def ask(self, method: str, url: str, scope: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body; logs in once when the registry wants that."""
        status, headers, body = await self._send(method, url, {"Authorization": self._authorization})
        if status == 401 and not self._authorization:
            self._authorization = await self._logged_in(headers.get("WWW-Authenticate", ""), scope)
            status, headers, body = await self._send(method, url, {"Authorization": self._authorization})
        if status in (401, 403):
            who = "without a login" if not self._registry.password else "with the login that is kept for it"
            host = self._registry.host
            raise RegistryRefuses(f"The registry {host} doesn't show that {who}: HTTP {status}.", host=host)
        if status not in (200, 404):
            raise ValueError(f"it answers {status}")
        return status, headers, body

    async def _logged_in(self, challenge: str, scope: str) -> str:
        basic = self._basic()
        if not challenge.lower().startswith("bearer"):
            return basic
        said = dict(CHALLENGE.findall(challenge))
        realm = said.get("realm", "")
        asked = {"scope": said.get("scope") or scope} | ({"service": said["service"]} if "service" in said else {})
        if urlsplit(realm).scheme != "https" and urlsplit(realm).netloc != urlsplit(self._registry.api).netloc:
            raise ValueError("its token service is not at an https address")
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}"
        status, _, body = await self._send("GET", url, {"Authorization": basic})
        if status != 200:
            host = self._registry.host
            raise RegistryRefuses(f"The registry {host} doesn't take the login: HTTP {status}.", host=host)
        token = msgspec.json.decode(body, type=_Token)
        return f"Bearer {token.token or token.access_token}"

    def _basic(self) -> str:
        if not self._registry.password:
            return ""
        return aiohttp.encode_basic_auth(self._registry.user, self._registry.password)

    async def _send(self, method: str, url: str, headers: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        host = urlsplit(url).hostname or ""
        if not self._outgoing.may_ask(host):
            raise ValueError(f"{host} is a host inside")
        sent = {name: value for name, value in headers.items() if value} | {"Accept": f"application/json, {MANIFESTS}"}
        async with (
            self._outgoing.session(host, TIMEOUT_SECONDS) as session,
            session.request(method, url, headers=sent, allow_redirects=False) as answer,
        ):
            body = b"" if method == "HEAD" else await read_at_most(answer, MAX_ANSWER_BYTES)
            return answer.status, answer.headers.copy(), body
