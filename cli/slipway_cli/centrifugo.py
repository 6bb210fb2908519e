"""The live side of the API: Centrifugo's JSON client protocol over one WebSocket, with recovery after a break.

Invariant: what a subscription yields has no gap: after a reconnect it resumes at the last offset it has seen, and
when the server can't recover that, it says so by yielding a `Gap`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import aiohttp

from slipway_cli.api import Client
from slipway_cli.problems import CommandFailed

RECONNECT_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
PERMANENT_CODES = range(3500, 4000)
"""Close codes that mean: don't come back."""


@dataclass(frozen=True)
class Publication:
    data: Any
    offset: int = 0


@dataclass(frozen=True)
class Gap:
    """Something between the last publication and the next one is not to be had any more."""


@dataclass(frozen=True)
class CaughtUp:
    """What was kept has been told; from here on it is live."""


News = Publication | Gap | CaughtUp


class Away(Exception):
    """The connection broke; it may come back."""


class Subscription:
    """One channel, followed over reconnects."""

    def __init__(self, client: Client, channel: str, history: int | None = None) -> None:
        """`history`: how many publications to begin with (None: as many as the server finds usual)."""
        self._client = client
        self._channel = channel
        self._history = history
        self._offset = 0
        self._epoch = ""

    async def follow(self) -> AsyncGenerator[News, None]:
        """What is kept of the channel, then what comes, until the caller stops."""
        attempt = 0
        while True:
            try:
                async for publication in self._connected():
                    attempt = 0
                    yield publication
            except Away:
                await asyncio.sleep(RECONNECT_SECONDS[min(attempt, len(RECONNECT_SECONDS) - 1)])
                attempt += 1

    async def _connected(self) -> AsyncGenerator[News, None]:
        try:
            socket = await self._client.websocket("/connection/websocket")
        except CommandFailed as failed:
            if failed.exit_code != 8 or not self._epoch:
                raise
            raise Away from failed
        async with socket:
            kind, _, token = self._client.context.authorization.partition(" ")
            await self._ask(socket, 1, "connect", {"token": token, "name": "slipway-cli", "data": {"scheme": kind}})
            answer = await self._ask(socket, 2, "subscribe", self._request())
            for missed in self._begin(answer):
                yield missed
            async for reply in self._replies(socket):
                if publication := self._publication(reply.get("push", {})):
                    yield publication

    def _request(self) -> dict[str, Any]:
        if self._epoch:
            return {"channel": self._channel, "recover": True, "epoch": self._epoch, "offset": self._offset}
        options = {} if self._history is None else {"data": {"history": self._history}}
        return {"channel": self._channel, **options}

    def _begin(self, answer: dict[str, Any]) -> list[News]:
        resumed = bool(self._epoch)
        found: list[News] = []
        if resumed and not answer.get("recovered", False):
            found.append(Gap())
        self._epoch = answer.get("epoch", "")
        for entry in answer.get("publications", []):
            found.append(self._seen(entry))
        self._offset = max(self._offset, answer.get("offset", 0))
        return [*found, CaughtUp()]

    def _publication(self, push: dict[str, Any]) -> Publication | None:
        if push.get("channel") != self._channel:
            return None
        if "unsubscribe" in push:
            raise CommandFailed(
                f"The subscription ended: {push['unsubscribe'].get('reason', 'no reason')}.", "ended", 4
            )
        return self._seen(push["pub"]) if "pub" in push else None

    def _seen(self, entry: dict[str, Any]) -> Publication:
        self._offset = max(self._offset, entry.get("offset", 0))
        return Publication(entry.get("data"), entry.get("offset", 0))

    async def _ask(
        self, socket: aiohttp.ClientWebSocketResponse, id: int, command: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        await socket.send_str(json.dumps({"id": id, command: body}))
        async for reply in self._replies(socket):
            if reply.get("id") != id:
                continue
            if error := reply.get("error"):
                code = int(error.get("code", 0))
                raise CommandFailed(f"{self._channel}: {error.get('message', 'refused')}.", f"live.{code}", _exit(code))
            return dict(reply.get(command, {}))
        raise Away

    async def _replies(self, socket: aiohttp.ClientWebSocketResponse) -> AsyncGenerator[dict[str, Any], None]:
        """Every reply and push; pings are answered on the way."""
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            for line in str(message.data).splitlines():
                reply = json.loads(line)
                if not reply:
                    await socket.send_str("{}")
                else:
                    yield reply
        if socket.close_code in PERMANENT_CODES:
            raise CommandFailed("The platform ended the connection for good: log in again.", "auth.required", 3)
        raise Away


def _exit(code: int) -> int:
    return {101: 3, 102: 5, 103: 4, 109: 3}.get(code, 1)
