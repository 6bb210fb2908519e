"""The public route of a service: added to Caddy once, its upstream read from a file at every request.

Invariant: a deploy changes the file and not Caddy's configuration, so no connection is cut by it. The route is also
kept as a file, from which the next start of Caddy takes it.
"""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from slipway_engine.problems import TaskFailed
from slipway_workloads import ServiceDirectory
from slipway_workloads.records import write_bytes

SERVICES_ID = "slipway-services"
STREAM_CLOSE_DELAY = "12h"
ANSWER_SECONDS = 10.0
RETRY_SECONDS = 20.0
HOSTNAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?", re.IGNORECASE)
STOPPED_UPSTREAM = "127.0.0.1:1"
"""Nobody listens there: a stopped service's old port may belong to another one soon."""


class RouteRefused(TaskFailed):
    """The public address could not be set up."""

    code = "route.refused"


def route(service_id: str, hostnames: list[str], upstream: Path) -> dict[str, Any]:
    """Caddy's form of it."""
    return {
        "@id": route_id(service_id),
        "match": [{"host": hostnames}],
        "handle": [
            {
                "handler": "reverse_proxy",
                "upstreams": [{"dial": f"{{file.{upstream}}}"}],
                "stream_close_delay": STREAM_CLOSE_DELAY,
                # Streams go through as they come; idle connections end soon, so that an old version is seen drained.
                "flush_interval": -1,
                "transport": {
                    "protocol": "http",
                    "dial_timeout": "5s",
                    "keep_alive": {"enabled": True, "idle_timeout": "3s", "max_idle_conns_per_host": 64},
                },
            }
        ],
        "terminal": True,
    }


def route_id(service_id: str) -> str:
    return f"slipway-service-{service_id}"


class Routes:
    """Adds, changes and removes routes."""

    def __init__(self, admin_socket: Path | None) -> None:
        self._socket = admin_socket

    async def ensure(self, service: ServiceDirectory, hostnames: list[str]) -> None:
        """Have the service answer under these names; nothing is touched when it does already."""
        wrong = [name for name in hostnames if not HOSTNAME.fullmatch(name)]
        if wrong:
            # Caddy would take braces for a placeholder and fill in what it finds.
            raise RouteRefused(f"{wrong[0][:80]!r} can't be a host name.")
        wanted = route(service.id, hostnames, service.upstream)
        known = json.dumps(wanted, sort_keys=True).encode()
        if not service.route.exists() or service.route.read_bytes() != known:
            await asyncio.to_thread(write_bytes, service.route, known)
        if self._socket is not None:
            await self._retried(self._ensure, service.id, wanted)

    async def remove(self, service: ServiceDirectory) -> None:
        """Nobody answers under its names any more."""
        service.route.unlink(missing_ok=True)
        if self._socket is not None:
            await self._retried(self._remove, service.id, None)

    async def _ensure(self, service_id: str, wanted: Any) -> None:
        status, there = await self._call("GET", f"/id/{route_id(service_id)}")
        if status == 200 and there == wanted:
            return
        if status == 200:
            status, answer = await self._call("PATCH", f"/id/{route_id(service_id)}", wanted)
        else:
            status, answer = await self._call("POST", f"/id/{SERVICES_ID}/handle/0/routes", wanted)
        if status >= 400:
            raise RouteRefused("The proxy refused the route of this service.", str(answer)[:2000])

    async def _remove(self, service_id: str, wanted: Any) -> None:
        status, _ = await self._call("DELETE", f"/id/{route_id(service_id)}")
        if status >= 500:
            raise OSError(f"Caddy answered {status}")

    async def _retried(self, change: Any, service_id: str, wanted: Any) -> None:
        """Caddy may be restarting: try for a while."""
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                while True:
                    try:
                        await change(service_id, wanted)
                        return
                    except (OSError, EOFError, ValueError):
                        await asyncio.sleep(0.5)
        except TimeoutError:
            raise RouteRefused("The proxy doesn't answer, so the service has no public address now.") from None

    async def _call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        payload = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
            try:
                writer.write(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
                answer = await reader.read()
            finally:
                writer.close()
        top, _, rest = answer.partition(b"\r\n\r\n")
        return int(top.split(b" ", 2)[1]), json.loads(rest) if rest.strip() else None
