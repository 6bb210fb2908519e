"""Caddy as the one origin of the platform, and the front of every deployed service.

The start configuration comes from here; afterwards engines add a route per service through the admin socket, at
`POST /id/slipway-services/handle/0/routes`, and keep a copy as a file in a routes directory, from which the next
start takes it. Each change reloads Caddy: `stream_close_delay` keeps proxied WebSockets open over that.
"""

import asyncio
import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway_embedded import binaries
from slipway_embedded.processes import Command, Server, launched, plain_environment, write_private

SERVER_NAME = "slipway"
SERVICES_ID = "slipway-services"
STREAM_CLOSE_DELAY = "12h"

PREFIXES: dict[str, tuple[str, ...]] = {
    "scheduler": ("/api/scheduler",),
    "core": ("/api",),
    "webhooks": ("/hooks",),
    "git": ("/git",),
    "websocket": ("/ws", "/connection/websocket"),
    "shell": ("/shell",),
}
"""Which service answers below which path; the first that fits."""

CONSOLE_HEADERS = {
    "Content-Security-Policy": [
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; font-src 'self' data:; "
        "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ],
    "X-Content-Type-Options": ["nosniff"],
    "X-Frame-Options": ["DENY"],
    "Referrer-Policy": ["same-origin"],
}

PAGE = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>{head}
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1rem;color:#222}}
@media(prefers-color-scheme:dark){{body{{background:#111;color:#ddd}}}}</style>
<h1>{title}</h1><p>{text}</p></html>
"""
NO_CONSOLE = PAGE.format(
    title="The console is being built",
    text="This page opens it as soon as it is there. The API, git and the command line already work.",
    head='<meta http-equiv="refresh" content="2">',
)
NO_SERVICE = PAGE.format(title="No such service", text="Nothing is deployed under this name.", head="")
NO_ANSWER = PAGE.format(
    title="The service does not answer",
    text="It is stopped, starting, or it failed; its logs in the console tell which.",
    head="",
)


@dataclass(frozen=True)
class Upstreams:
    """Where the platform's own parts listen, and what they are called."""

    ports: Mapping[str, int] = field(default_factory=dict)
    """Name of the service (a key of PREFIXES) → its port on 127.0.0.1."""
    hosts: Sequence[str] = ("localhost", "127.0.0.1")
    """Host names of the platform itself; every other one is a deployed service's."""
    console: Path | None = None
    """Directory of the built console; it may come later."""
    routes: Path | None = None
    """Directory of `<service id>.json`, a route each."""
    retry_seconds: int = 10
    """How long a request waits for a part of the platform that refuses connections: it is being restarted."""


class CaddyServer(Server):
    """One Caddy in one directory; its admin socket (0600) lies in a short private directory."""

    name = "caddy"

    def __init__(
        self,
        directory: Path,
        port: int = 0,
        *,
        upstreams: Upstreams | None = None,
        run_directory: Path,
        host: str = "127.0.0.1",
        memory_limit_mib: int = 64,
    ) -> None:
        """`run_directory`: see `slipway_embedded.run_directory`; unix socket paths have to be short."""
        super().__init__(directory, port)
        self.upstreams = upstreams or Upstreams()
        self.host = host
        self.admin_socket = run_directory / "caddy.sock"
        self.memory_limit_mib = memory_limit_mib

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self.directory / "caddy.json", json.dumps(self.configuration(), indent=1))

    def command(self) -> Command:
        program = [str(binaries.caddy()), "run", "--config", str(self.directory / "caddy.json")]
        return Command(
            argv=launched(program, stop_signal=signal.SIGQUIT),
            environment=plain_environment(
                GOMEMLIMIT=f"{self.memory_limit_mib}MiB",
                HOME=str(self.directory),
                XDG_CONFIG_HOME=str(self.directory / "config"),
                XDG_DATA_HOME=str(self.directory / "data"),
            ),
            directory=self.directory,
            stop_signal=signal.SIGQUIT,  # SIGTERM would wait for the last open download
        )

    async def ready(self) -> bool:
        try:
            status, _ = await self.admin("GET", f"/id/{SERVICES_ID}")
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False
        return status == 200

    async def admin(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the admin API; gives (status, decoded body)."""
        reader, writer = await asyncio.open_unix_connection(str(self.admin_socket))
        payload = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n"
        )
        try:
            writer.write(head.encode() + payload)
            answer = await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()
        top, _, rest = answer.partition(b"\r\n\r\n")
        return int(top.split(b" ")[1]), json.loads(rest) if rest.strip() else None

    def configuration(self) -> dict[str, Any]:
        """The whole start configuration."""
        server = {
            "listen": [f"{self.host}:{self.port}"],
            "protocols": ["h1"],
            "automatic_https": {"disable": True},
            "read_header_timeout": "15s",
            "idle_timeout": "2m",
            "max_header_bytes": 64 * 1024,
            "routes": [self._platform(), self._services(), _page(404, NO_SERVICE)],
            "errors": {"routes": [_problem(self.upstreams.hosts), _page("{http.error.status_code}", NO_ANSWER)]},
        }
        return {
            "admin": {"listen": f"unix/{self.admin_socket}|0600", "config": {"persist": False}},
            "logging": {"logs": {"default": {"level": "WARN", "writer": {"output": "stderr"}}}},
            "apps": {"http": {"servers": {SERVER_NAME: server}}},
        }

    def _platform(self) -> dict[str, Any]:
        routes = [
            {
                "match": [{"path": _below(PREFIXES[name])}],
                "handle": [_proxy(port, self.upstreams.retry_seconds)],
                "terminal": True,
            }
            for name, port in sorted(self.upstreams.ports.items(), key=lambda item: list(PREFIXES).index(item[0]))
        ]
        if self.upstreams.console is not None:
            routes += list(_console(self.upstreams.console))
        routes.append(_page(503, NO_CONSOLE, **{"Cache-Control": ["no-store"]}))
        return {
            "match": [{"host": list(self.upstreams.hosts)}],
            "handle": [{"handler": "subroute", "routes": routes}],
            "terminal": True,
        }

    def _services(self) -> dict[str, Any]:
        return {"@id": SERVICES_ID, "handle": [{"handler": "subroute", "routes": list(self._stored_routes())}]}

    def _stored_routes(self) -> Iterator[dict[str, Any]]:
        if self.upstreams.routes is None or not self.upstreams.routes.is_dir():
            return
        for file in sorted(self.upstreams.routes.glob("*.json")):
            try:
                yield json.loads(file.read_text())
            except ValueError:
                # Half a file of a crash: the engine adds the route again when it reconciles.
                continue


def _below(prefixes: Sequence[str]) -> list[str]:
    return [path for prefix in prefixes for path in (prefix, prefix + "/*")]


def _proxy(port: int, retry_seconds: int) -> dict[str, Any]:
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"127.0.0.1:{port}"}],
        # Only a refused connection is tried again: nothing was sent yet.
        "load_balancing": {"try_duration": f"{retry_seconds}s", "try_interval": "100ms"},
        "stream_close_delay": STREAM_CLOSE_DELAY,
    }


def _console(root: Path) -> Iterator[dict[str, Any]]:
    """Files as they are; any other path is the application's page; nothing at all before the first build."""
    files: dict[str, Any] = {
        "handler": "file_server",
        "root": str(root),
        "precompressed": {"gzip": {}},
        "precompressed_order": ["gzip"],
        "hide": [str(root / ".sources")],
    }
    for_ever = {**CONSOLE_HEADERS, "Cache-Control": ["public, max-age=31536000, immutable"]}
    always_asked = {**CONSOLE_HEADERS, "Cache-Control": ["no-cache"]}
    yield {
        "match": [{"path": ["/assets/*"], "file": {"root": str(root)}}],
        "handle": [_headers(for_ever), files],
        "terminal": True,
    }
    yield {"match": [{"path": ["/assets/*"]}], "handle": [{"handler": "static_response", "status_code": "404"}]}
    page = {"root": str(root), "try_files": ["{http.request.uri.path}", "/index.html"]}
    yield {
        "match": [{"method": ["GET", "HEAD"], "file": page}],
        "handle": [
            {"handler": "rewrite", "uri": "{http.matchers.file.relative}"},
            _headers(always_asked),
            files,
        ],
        "terminal": True,
    }


def _headers(values: Mapping[str, list[str]]) -> dict[str, Any]:
    return {"handler": "headers", "response": {"set": dict(values)}}


def _page(status: int | str, text: str, **headers: list[str]) -> dict[str, Any]:
    answer = {
        "handler": "static_response",
        "status_code": str(status),
        "headers": {"Content-Type": ["text/html; charset=utf-8"], **headers},
        "body": text,
    }
    return {"handle": [answer]}


def _problem(platform_hosts: Sequence[str]) -> dict[str, Any]:
    """A part of the platform is away: said as the API says everything else."""
    problem = {
        "type": "about:blank",
        "title": "A part of the platform is away.",
        "status": 503,
        "detail": "It is being restarted: try again in a moment.",
        "code": "unavailable",
    }
    paths = [path for prefixes in PREFIXES.values() for path in _below(prefixes)]
    answer = {
        "handler": "static_response",
        "status_code": "503",
        "headers": {"Content-Type": ["application/problem+json"], "Retry-After": ["1"]},
        "body": json.dumps(problem),
    }
    return {"match": [{"host": list(platform_hosts), "path": paths}], "handle": [answer], "terminal": True}
