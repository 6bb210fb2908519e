"""The public API as the commands use it: JSON in and out, problems as one sentence."""

import json
import socket
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import ResolveResult

from slipway_cli.context import Context
from slipway_cli.problems import EXIT_CODES, KINDS_BY_STATUS, CommandFailed, NotRunning
from slipway_errors import Kind

TIMEOUT_SECONDS = 30


class LocalResolver(aiohttp.ThreadedResolver):
    """`localhost` and everything below it is this machine, also where the system doesn't know that."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host == "localhost" or host.endswith(".localhost"):
            host, family = "127.0.0.1", socket.AF_INET
        return await super().resolve(host, port, family)


class Client:
    """One session with one Slipway."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": self.context.authorization} if self.context.authorization else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=LocalResolver()),
            headers={**headers, "User-Agent": "slipway-cli"},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the client is not open")
        return self._session

    async def get(self, path: str, **query: str) -> Any:
        return await self.call("GET", path, query=query)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self.call("POST", path, body)

    async def call(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Any:
        """Call `/api<path>`; the decoded answer, or None where there is none."""
        url = f"{self.context.url}/api{path}"
        try:
            async with self.session.request(method, url, json=body, params=query or None) as answer:
                text = await answer.text()
                if answer.status >= 400:
                    raise problem(answer.status, text)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self.away(error) from error
        return json.loads(text) if text else None

    async def results(self, path: str) -> list[dict[str, Any]]:
        """The list in a `{"results": […]}` answer."""
        return list((await self.get(path))["results"])

    async def websocket(self, path: str, *protocols: str) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket on the same origin."""
        url = "ws" + self.context.url.removeprefix("http") + path
        try:
            return await self.session.ws_connect(url, protocols=protocols, heartbeat=20, max_msg_size=16 * 2**20)
        except aiohttp.WSServerHandshakeError as error:
            raise problem(error.status, "") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self.away(error) from error

    def away(self, error: Exception) -> CommandFailed:
        if self.context.home is not None and isinstance(error, aiohttp.ClientConnectorError):
            return NotRunning(str(self.context.home))
        where = urlsplit(self.context.url).netloc
        return CommandFailed(f"{where} does not answer ({type(error).__name__}): is it up?", "unavailable", 8)


def problem(status: int, text: str) -> CommandFailed:
    """What an answer of 400 and above means, from its problem document if it has one."""
    kind = KINDS_BY_STATUS.get(status, Kind.UNAVAILABLE)
    try:
        document = json.loads(text)
        detail, code = str(document.get("detail") or document["title"]), str(document.get("code", status))
    except (ValueError, KeyError, AttributeError, TypeError):
        detail, code = f"the platform answered {status}", f"http.{status}"
        document = {}
    wrong = "; ".join(f"{error.get('path')}: {error.get('message')}" for error in document.get("errors", []))
    if wrong and wrong not in detail:
        detail = f"{detail.rstrip('.')} — {wrong}."
    return CommandFailed(detail, code, EXIT_CODES[kind])
