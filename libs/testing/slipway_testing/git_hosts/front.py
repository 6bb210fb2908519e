"""What the four APIs have in common as HTTP: who may, what is asked for in which form, pages, troubles."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from slipway_testing.git_hosts.model import Hosted, KnownRequest, Repository

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Front:
    """One of the APIs, over what is hosted."""

    prefix = ""

    def __init__(self, hosted: Hosted) -> None:
        self.hosted = hosted
        self.url = ""
        """The host's origin, once it listens."""

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path below the prefix, handler."""
        raise NotImplementedError

    def error(self, status: int, message: str) -> web.Response:
        return web.json_response({"message": message}, status=status)

    def token_of(self, request: web.Request) -> str | None:
        """What the request proves itself with, in the API's own way."""
        raise NotImplementedError

    def guarded(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            hosted = self.hosted
            hosted.asked.append(f"{request.method} {request.raw_path}")
            trouble = hosted.trouble
            if trouble is not None and trouble.times > 0:
                trouble.times -= 1
                return web.json_response({"message": "trouble"}, status=trouble.status, headers=trouble.headers)
            try:
                self._check(request)
                return await handler(request)
            except Refused as refused:
                return self.error(refused.status, refused.message)

        return answer

    def _check(self, request: web.Request) -> None:
        token = self.token_of(request)
        if not request.headers.get("User-Agent"):
            raise Refused(403, "Request forbidden: no User-Agent")
        if token is not None and token != self.hosted.token:
            raise Refused(401, "Bad credentials")
        writes = request.method != "GET"
        if writes and token is None:
            raise Refused(401, "Requires authentication")
        if writes and not self.hosted.may_write:
            raise Refused(403, "Resource not accessible by personal access token")
        if "/hooks" in request.path and token is None:
            raise Refused(404, "Not Found")

    def repository(self, path: str) -> Repository:
        found = self.hosted.repositories.get(path)
        if found is None:
            raise Refused(404, "Not Found")
        return found

    def asked_for(self, repository: Repository, request: web.Request) -> KnownRequest:
        found = repository.requests.get(int(request.match_info["number"]))
        if found is None:
            raise Refused(404, "Not Found")
        return found

    async def body(self, request: web.Request, needs: Mapping[str, Any], may: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON body: all it needs, nothing that is not documented, each of its type."""
        if request.content_type != "application/json":
            raise Refused(415, f"Content type {request.content_type}")
        body = json.loads(await request.read())
        known = {**needs, **may}
        for name in needs:
            if name not in body:
                raise Refused(422, f"{name} is missing")
        for name, value in body.items():
            if name not in known or not isinstance(value, known[name]):
                raise Refused(422, f"{name} is not valid: {value!r}")
        return dict(body)

    def page(self, request: web.Request, items: Sequence[Any], size_name: str) -> list[Any]:
        size = min(int(request.query.get(size_name, "30")), 100)
        page = int(request.query.get("page", "1"))
        return list(items[(page - 1) * size : page * size])

    def one_of(self, value: str, choices: Sequence[str]) -> None:
        if value not in choices:
            raise Refused(422, f"{value!r} is none of {', '.join(choices)}")


def absolute(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise Refused(422, f"{url!r} is no URL")
