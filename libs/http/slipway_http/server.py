"""The way of a request: host, page, route, caller, limits, place, permission, body, handler, answer.

It stands on aiohttp's low-level server: no application, no middlewares; one dictionary or a short walk finds the route.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

import structlog
from aiohttp import web
from structlog.contextvars import bind_contextvars, clear_contextvars

from slipway_contracts.access import Permission
from slipway_errors import Fault, NotFound, TooLarge, Unauthenticated, Unsupported
from slipway_http.answers import answer, encoded, problem
from slipway_http.bodies import continue_if_expected, read_body, request_id_of
from slipway_http.calls import Call, Locator
from slipway_http.decoding import BodyDecoder, decode_query
from slipway_http.limits import Buckets, Limits
from slipway_http.measures import measures_of
from slipway_http.openapi import openapi_document
from slipway_http.origins import SAFE, Origins, client_address, session_cookie
from slipway_http.problems import RequestRefused
from slipway_http.routing import UUID, Route, Router
from slipway_security.access import NOBODY, AccessCopy, Caller

Check = Callable[[], bool]
LOOPBACK = frozenset({"127.0.0.1", "::1"})
log = structlog.get_logger()


class _Prepared:
    """A route with all that can be made ready once."""

    __slots__ = ("by_status", "decoder", "name", "place_param", "route", "seconds")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.name = route.path
        self.place_param = route.place_param if route.of else ""
        self.decoder = BodyDecoder(route.body) if route.body is not None else None
        self.seconds = measures_of().seconds.labels(route.method, route.path)
        self.by_status: dict[int, Any] = {}

    def answered(self, method: str, status: int, seconds: float) -> None:
        """Count it, and log it if it may have changed something."""
        self._count(status, seconds)
        if method not in SAFE:
            log.info("request", method=method, route=self.name, status=status, milliseconds=round(1000 * seconds))

    def _count(self, status: int, seconds: float) -> None:
        counter = self.by_status.get(status)
        if counter is None:
            counter = measures_of().requests.labels(self.route.method, self.name, str(status))
            self.by_status[status] = counter
        counter.inc()
        self.seconds.observe(seconds)


class Server:
    """Routes and what they are authorised by. `serve_http` opens it."""

    def __init__(
        self,
        routes: Iterable[Route],
        app: Any,
        access: AccessCopy,
        locate: Locator | None = None,
        title: str = "Slipway",
        *,
        allowed_hosts: str | Iterable[str] = ("localhost", "127.0.0.1"),
        origins: Iterable[str] = (),
        trusted_proxies: Iterable[str] = LOOPBACK,
        checks: Mapping[str, Check] | None = None,
        limits: Limits | None = None,
        prefix: str = "",
        openapi: bool = False,
        version: str = "1",
    ) -> None:
        """`checks` say by name what must be true to be ready. `origins`: pages of other origins that are ours too.

        `prefix` stands before the path of every route: `/api`.
        """
        self.routes = tuple(replace(route, path=prefix + route.path) if prefix else route for route in routes)
        self.ready = True
        self._app = app
        self._access = access
        self._locate = locate
        self._origins = Origins(allowed_hosts, origins)
        self._trusted = frozenset(trusted_proxies)
        # Without fresh rights every request would be refused, so that is not being ready.
        self._checks = {"rights": lambda: access.fresh(datetime.now(UTC)), **(checks or {})}
        limits = limits or Limits()
        self._callers = Buckets(limits.caller_per_second, limits.caller_burst)
        self._strangers = Buckets(limits.address_per_second, limits.address_burst)
        self._measures = measures_of()
        self._router = Router()
        for route in self.routes:
            self._router.add(route, _Prepared(route))
        self._own = {"/healthz": self._health, "/readyz": self._readiness, "/metrics": self._metrics}
        self._document = encoded(openapi_document(self.routes, title, version)) if openapi else None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; the handler for aiohttp's low-level server."""
        path = request.rel_url.raw_path
        own = self._own.get(path)
        if own is not None:
            return own()
        request_id = request_id_of(request.headers) or token_hex(16)
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        self._measures.open.inc()
        try:
            return await self._answered(request, path, request_id)
        finally:
            self._measures.open.dec()

    async def _answered(self, request: web.BaseRequest, path: str, request_id: str) -> web.StreamResponse:
        started = time.perf_counter()
        prepared: _Prepared | None = None
        try:
            self._origins.check_host(request.headers.get("Host", ""))
            if path == "/api/openapi.json" and self._document is not None:
                return answer(self._document, 200, request_id)
            prepared, params = self._router.find(request.method, path)
            response = await self._routed(request, prepared, params, request_id)
        except Fault as fault:
            response = problem(fault, request_id)
        except web.HTTPException as refused:
            response = problem(_of_aiohttp(refused), request_id)
        except (ConnectionError, TimeoutError) as error:
            response = self._broken(error, request, request_id)
        except Exception:
            log.exception("request failed", method=request.method, route=prepared.name if prepared else "")
            response = problem(Fault("Something broke here; the request id helps to find out what."), request_id, 500)
        if prepared is not None:
            prepared.answered(request.method, response.status, time.perf_counter() - started)
        return response

    def _broken(self, error: Exception, request: web.BaseRequest, request_id: str) -> web.StreamResponse:
        if request.transport is None:
            return problem(RequestRefused(499, "The client went away."), request_id)
        log.error("request failed", method=request.method, exc_info=error)
        return problem(Fault("Something broke here; the request id helps to find out what."), request_id, 500)

    async def _routed(
        self, request: web.BaseRequest, prepared: _Prepared, params: dict[str, str], request_id: str
    ) -> web.StreamResponse:
        route = prepared.route
        headers = request.headers
        address = client_address(request.remote or "", headers.get("X-Forwarded-For"), self._trusted)
        call: Call[Any] = Call(
            path=params,
            headers=headers,
            address=address,
            request_id=request_id,
            access=self._access,
            locate=self._locate,
        )
        if "Upgrade" in headers:
            self._check_socket(request)
        call.caller = self._caller(route, request, address)
        if request.method not in SAFE:
            bind_contextvars(caller_id=call.caller.id, address=address)
        if prepared.place_param:
            await self._authorize(prepared, call)
        elif route.needs is Permission.SIGNED_IN:
            self._access.authorize(call.caller, Permission.SIGNED_IN, None)
        return await self._handled(request, prepared, call)

    async def _handled(self, request: web.BaseRequest, prepared: _Prepared, call: Call[Any]) -> web.StreamResponse:
        route = prepared.route
        if route.query is not None:
            query = request.rel_url.query
            call.query = decode_query(route.query, query, query.getall)
        if route.raw:
            await continue_if_expected(request)
            return await self._raw(request, route, call)
        if prepared.decoder is not None:
            call.body = prepared.decoder.decode(await read_body(request, route))
        result = await route.handler(self._app, call)
        return _response(result, route, call)

    async def _raw(self, request: web.BaseRequest, route: Route, call: Call[Any]) -> web.StreamResponse:
        if route.max_body_bytes != request._client_max_size:
            request = request.clone(client_max_size=route.max_body_bytes)
        response: web.StreamResponse = await route.handler(self._app, request, call)
        if not response.prepared:
            response.headers.setdefault("X-Request-Id", call.request_id)
        return response

    def _check_socket(self, request: web.BaseRequest) -> None:
        """A browser's socket must come from our pages; other programs send no Origin, and can't use the cookie."""
        if "Origin" in request.headers or "Authorization" not in request.headers:
            by_cookie = session_cookie(request.headers.get("Host", "")) in request.cookies
            if "Origin" in request.headers or by_cookie:
                self._origins.check_page(request.method, request.headers, socket=True)

    def _caller(self, route: Route, request: web.BaseRequest, address: str) -> Caller:
        """Who asks; for public routes wrong credentials are no credentials."""
        try:
            caller = self.authenticate(request)
        except Unauthenticated:
            self._strangers.take(address)
            if route.needs is not Permission.PUBLIC:
                raise
            return NOBODY
        except Fault:
            if route.needs is not Permission.PUBLIC:
                raise
            return NOBODY
        self._callers.take(caller.principal_key)
        return caller

    def authenticate(self, request: web.BaseRequest) -> Caller:
        """The caller by Authorization header, or by cookie if one of our pages sent the request."""
        authorization = request.headers.get("Authorization")
        if authorization is None and "Cookie" in request.headers:
            session = request.cookies.get(session_cookie(request.headers.get("Host", "")))
            if session:
                self._origins.check_page(request.method, request.headers, socket="Upgrade" in request.headers)
                authorization = f"Bearer {session}"
        return self._access.authenticate(authorization)

    async def _authorize(self, prepared: _Prepared, call: Call[Any]) -> None:
        route = prepared.route
        assert route.of is not None
        assert route.needs is not None
        id = call.path[prepared.place_param]
        if not UUID.fullmatch(id):
            raise NotFound
        place = await self._locate(route.of, id.lower()) if self._locate else None
        self._access.authorize(call.caller, route.needs, place)
        if place is not None:
            call.place = place

    # -- for operators -------------------------------------------------------------------------------------------

    def _health(self) -> web.Response:
        return answer(b'{"status":"ok"}', 200, "")

    def _readiness(self) -> web.Response:
        problems = [name for name, check in self._checks.items() if not check()]
        if not self.ready:
            problems.append("stopping")
        body = encoded({"status": "ready" if not problems else "not ready", "waits_for": problems})
        return answer(body, 503 if problems else 200, "")

    def _metrics(self) -> web.Response:
        return web.Response(body=self._measures.text(), headers={"Content-Type": "text/plain; version=0.0.4"})


def _response(result: Any, route: Route, call: Call[Any]) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        result.headers.setdefault("X-Request-Id", call.request_id)
        return result
    status = call.status or route.status or (204 if result is None else 200)
    response = answer(None if result is None else encoded(result), status, call.request_id)
    if call.response_headers:
        response.headers.update(call.response_headers)
    for cookie in call.cookies:
        response.headers.add("Set-Cookie", cookie)
    return response


def _of_aiohttp(refused: web.HTTPException) -> Fault:
    if refused.status == 413:
        return TooLarge("The body is larger than this route takes.")
    if refused.status == 415:
        return Unsupported(refused.text or "")
    return RequestRefused(refused.status, refused.text or refused.reason)
