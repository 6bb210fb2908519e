"""A container registry that speaks the part of the OCI distribution API by which one looks into it."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

TOKEN = "let-me-in"  # noqa: S105 - of tests alone


@dataclass
class FakeRegistry:
    """`images`: name → tags. With a password everything but the token service wants a token."""

    images: dict[str, list[str]]
    user: str = ""
    password: str = ""
    lists_images: bool = True
    page: int = 1000
    realm: str = ""
    """Where tokens are had; its own address unless given."""
    url: str = ""
    asked: list[str] = field(default_factory=list)
    """Method, path and query of every request."""

    def _challenge(self, request: web.Request, scope: str) -> web.Response | None:
        if not self.password or request.headers.get("Authorization") == f"Bearer {TOKEN}":
            return None
        realm = self.realm or f"{self.url}/token"
        challenge = f'Bearer realm="{realm}",service="fake",scope="{scope}"'
        return web.json_response({"errors": []}, status=401, headers={"WWW-Authenticate": challenge})

    async def token(self, request: web.Request) -> web.Response:
        self.asked.append(f"GET {request.rel_url}")
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {login}":
            return web.json_response({}, status=401)
        return web.json_response({"token": TOKEN})

    async def catalog(self, request: web.Request) -> web.Response:
        self.asked.append(f"GET {request.rel_url}")
        if refused := self._challenge(request, "registry:catalog:*"):
            return refused
        if not self.lists_images:
            return web.json_response({}, status=404)
        return self._page(request, sorted(self.images), "repositories")

    async def tags(self, request: web.Request) -> web.Response:
        self.asked.append(f"GET {request.rel_url}")
        name = request.match_info["name"]
        if refused := self._challenge(request, f"repository:{name}:pull"):
            return refused
        if name not in self.images:
            return web.json_response({"errors": [{"code": "NAME_UNKNOWN"}]}, status=404)
        return self._page(request, self.images[name], "tags")

    async def manifest(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.rel_url}")
        name = request.match_info["name"]
        if refused := self._challenge(request, f"repository:{name}:pull"):
            return refused
        known = request.match_info["reference"] in self.images.get(name, [])
        return web.Response(status=200 if known else 404)

    def _page(self, request: web.Request, found: list[str], field: str) -> web.Response:
        """`n` names after `last`, and where it goes on."""
        last, size = request.query.get("last"), min(int(request.query.get("n", self.page)), self.page)
        at = found.index(last) + 1 if last in found else 0
        part = found[at : at + size]
        more = at + size < len(found)
        headers = {"Link": f'<{request.path}?n={size}&last={part[-1]}>; rel="next"'} if more else {}
        return web.json_response({field: part}, headers=headers)


@asynccontextmanager
async def serving(registry: FakeRegistry) -> AsyncIterator[FakeRegistry]:
    """The registry, listening on loopback at `registry.url`."""
    app = web.Application()
    app.router.add_get("/token", registry.token)
    app.router.add_get("/v2/_catalog", registry.catalog)
    app.router.add_get("/v2/{name:.+}/tags/list", registry.tags)
    app.router.add_route("*", "/v2/{name:.+}/manifests/{reference}", registry.manifest)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    registry.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield registry
    finally:
        await runner.cleanup()
