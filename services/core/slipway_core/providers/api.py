"""HTTP to a provider's API: guarded, bounded in time and size, and silent for as long as the provider asks for it.

The token goes to the host of the API alone; it is in no error and no log.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from yarl import URL

from slipway_core.outgoing import FAILURES, Outgoing, read_at_most, why
from slipway_errors import Busy, Invalid, Unavailable

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MOST_PAGES = 10
PAGE = 50
LONGEST_LIMIT_SECONDS = 3600.0
DEFAULT_LIMIT_SECONDS = 60.0
MESSAGE_CHARACTERS = 200
T = TypeVar("T")


class ProviderLimited(Busy):
    """The Git provider takes no more requests for a while."""

    code = "git_provider.limited"


class ProviderRefused(Invalid):
    """The Git provider refuses."""

    code = "git_provider.refused"


class ProviderUnavailable(Unavailable):
    """The Git provider can't be asked."""

    code = "git_provider.unavailable"


class Part(msgspec.Struct, frozen=True):
    """A part of an answer: only what is needed is decoded."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A repository, where its provider's API is, and the login for it."""

    provider: str
    api_url: str
    repository: str
    """owner/name."""
    clone_url: str = ""
    token: str = ""


class Quiet:
    """Until when which host takes nothing more from which token."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, int], float] = {}

    def left_seconds(self, host: str, token: str) -> float:
        return max(0.0, self._until.get((host, hash(token)), 0.0) - time.monotonic())

    def keep(self, host: str, token: str, seconds: float) -> None:
        now = time.monotonic()
        self._until = {key: until for key, until in self._until.items() if until > now}
        self._until[host, hash(token)] = now + seconds


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, shape: type[T]) -> T:
        try:
            return msgspec.json.decode(self.body, type=shape)
        except msgspec.DecodeError as error:
            raise ProviderUnavailable(f"The Git provider's answer can't be read: {error}.") from error


class Api:
    """Calls below one base URL."""

    def __init__(self, outgoing: Outgoing, quiet: Quiet, target: Target, base: str, headers: Mapping[str, str]) -> None:
        self.target = target
        self._base = base.rstrip("/")
        self._host = urlsplit(base).hostname or ""
        self._outgoing = outgoing
        self._quiet = quiet
        self._headers = {"User-Agent": "slipway", "Accept": "application/json", **headers}

    async def call(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> Answer:
        """One request. ProviderRefused for any answer of 400 and above but 404, which is the caller's to read."""
        left = self._quiet.left_seconds(self._host, self.target.token)
        if left:
            raise ProviderLimited(f"{self._host} takes no requests for another {left:.0f} s.", retry_after_seconds=left)
        answer = await self._send(method, path, query, body)
        if answer.status in (403, 429) and (seconds := limit_seconds(answer)) is not None:
            self._quiet.keep(self._host, self.target.token, seconds)
            raise ProviderLimited(f"{self._host} takes no requests for {seconds:.0f} s.", retry_after_seconds=seconds)
        if answer.status >= 500:
            raise ProviderUnavailable(f"{self._host} answers {answer.status}.")
        if answer.status != 404 and not 200 <= answer.status < 300:
            raise ProviderRefused(f"{self._host} answers {answer.status}: {message_of(answer)}", status=answer.status)
        return answer

    async def _send(self, method: str, path: str, query: Mapping[str, Any] | None, body: Any) -> Answer:
        if not self._outgoing.may_ask(self._host):
            raise ProviderUnavailable(f"{self._host} is a host inside: it is not asked.")
        url = path if path.startswith(f"{self._base}/") else self._base + path
        headers = dict(self._headers) | ({} if body is None else {"Content-Type": "application/json"})
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._outgoing.session(self._host, TIMEOUT_SECONDS) as session,
                session.request(
                    method,
                    _exactly(url, query),
                    headers=headers,
                    data=data,
                    allow_redirects=False,
                ) as answer,
            ):
                read = await read_at_most(answer, MAX_ANSWER_BYTES)
                return Answer(status=answer.status, headers=answer.headers, body=read)
        except FAILURES as error:
            raise ProviderUnavailable(f"{self._host}: {why(error, TIMEOUT_SECONDS)}.") from error

    async def get(self, path: str, shape: type[T], **query: Any) -> T | None:
        """None for 404."""
        answer = await self.call("GET", path, query=query or None)
        return None if answer.status == 404 else answer.read(shape)

    async def send(self, method: str, path: str, body: Any, shape: type[T]) -> T | None:
        """None for 404."""
        answer = await self.call(method, path, body=body)
        return None if answer.status == 404 else answer.read(shape)

    async def must(self, method: str, path: str, body: Any, shape: type[T]) -> T:
        """404 is a refusal: providers answer it, too, when the token may not."""
        found = await self.send(method, path, body, shape)
        if found is None:
            raise ProviderRefused(
                f"{self._host} answers 404: {self.target.repository} is not there, or the Git token may not do that.",
                status=404,
            )
        return found


def branch_path(branch: str) -> str:
    """A branch as a part of a path; a name that leads upwards is none that Git has."""
    return quote(branch, safe="/" if ".." not in branch else "")


def _exactly(url: str, query: Mapping[str, Any] | None) -> URL:
    """Paths hold encoded slashes (`group%2Fname`), which must stay so."""
    made = URL(url, encoded=True)
    return made.update_query({name: str(value) for name, value in query.items()}) if query else made


def limit_seconds(answer: Answer) -> float | None:
    """How long the provider wants to be left alone; None when the answer is no such wish."""
    after = answer.headers.get("Retry-After", "")
    if after.isdigit():
        return min(max(float(after), 1.0), LONGEST_LIMIT_SECONDS)
    reset = answer.headers.get("X-RateLimit-Reset") or answer.headers.get("RateLimit-Reset") or ""
    remaining = answer.headers.get("X-RateLimit-Remaining") or answer.headers.get("RateLimit-Remaining")
    if remaining == "0" and reset.isdigit():
        return min(max(float(reset) - time.time(), 1.0), LONGEST_LIMIT_SECONDS)
    return DEFAULT_LIMIT_SECONDS if answer.status == 429 else None


class _Message(Part, frozen=True):
    message: Any = None
    error: Any = None
    errors: Any = None


def message_of(answer: Answer) -> str:
    """What the provider says is wrong, cut."""
    try:
        said = msgspec.json.decode(answer.body, type=_Message)
    except msgspec.DecodeError:
        return "it does not say why."
    error = said.error.get("message") if isinstance(said.error, dict) else said.error
    parts = [_text(part) for part in (said.message, error, said.errors) if part]
    return (": ".join(parts) or "it does not say why")[:MESSAGE_CHARACTERS]


def _text(part: Any) -> str:
    return part if isinstance(part, str) else msgspec.json.encode(part).decode()
