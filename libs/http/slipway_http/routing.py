"""Routes as data, and finding the one that a path means.

A route says who may use it (`needs`) and where that is checked (`of`: the kind of thing that a path parameter names);
one that doesn't is refused at start.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from slipway_contracts.access import Permission
from slipway_errors import Conflict, Fault, NotFound

Handler = Callable[..., Awaitable[Any]]
WITHOUT_PLACE = {Permission.PUBLIC, Permission.SIGNED_IN, Permission.INTERNAL}
PARAMETER = re.compile(r"\{(\w+)(:\.\*)?\}")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MAX_SEGMENTS = 64


class RouteWrong(Conflict):
    """A route is declared wrongly."""

    code = "route.wrong"


class MethodNotAllowed(Fault):
    """This method is not offered here."""

    code = "request.method_not_allowed"
    status = 405

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(sorted(allowed))
        super().__init__(f"Here go: {self.allowed}.")


@dataclass(frozen=True, kw_only=True)
class _Options:
    needs: Permission | None = None
    """Who may use it. There is no default: a route without it is refused."""
    of: str | None = None
    """The kind of thing at which `needs` is checked: organization, project, environment, service, cluster …"""
    of_param: str = ""
    """The path parameter that names that thing; `<of>Id` unless given."""
    body: Any = None
    query: Any = None
    returns: Any = None
    status: int = 0
    """What success answers; 0: 200 with a body, 204 without."""
    summary: str = ""
    description: str = ""
    tag: str = ""
    operation_id: str = ""
    raw: bool = False
    """The handler gets the request itself and gives the response: sockets, Git, hooks."""
    max_body_bytes: int = 1024 * 1024
    body_required: bool = True
    """False: no body at all counts as `{}`."""


@dataclass(frozen=True)
class _Target:
    method: str
    """GET, POST …; `*` for a raw route of every method."""
    path: str
    """`/environment/{environmentId}/status`; `{rest:.*}` at the end takes all that follows."""
    handler: Handler


@dataclass(frozen=True)
class Route(_Options, _Target):
    """One thing that can be asked for. `Route("GET", "/x/{xId}", handler, needs=Permission.READ, of="x")`."""

    def __post_init__(self) -> None:
        if self.needs is None:
            raise RouteWrong(f"{self.method} {self.path} states no permission (needs=…).")
        if (self.of is None) != (self.needs in WITHOUT_PLACE):
            raise RouteWrong(f"{self.method} {self.path}: {self.needs} needs to state a place (of=…), or mustn't.")
        if self.of is not None and self.place_param not in self.params:
            raise RouteWrong(f"{self.method} {self.path} has no parameter {{{self.place_param}}}.")
        if self.needs is Permission.INTERNAL:
            raise RouteWrong(f"{self.method} {self.path}: services talk over the bus, not over HTTP.")

    @property
    def place_param(self) -> str:
        return self.of_param or f"{self.of}Id"

    @property
    def params(self) -> list[str]:
        """Names of the path parameters, in order."""
        return [found[1] for found in PARAMETER.finditer(self.path)]


@dataclass
class _Node:
    fixed: dict[str, "_Node"] = field(default_factory=dict)
    patterns: list[tuple[re.Pattern[str], "_Node"]] = field(default_factory=list)
    any: "_Node | None" = None
    rest: "_Node | None" = None
    routes: dict[str, Any] = field(default_factory=dict)


class Router:
    """Finds routes by path: fixed segments before patterns before parameters before the rest."""

    def __init__(self) -> None:
        self._root = _Node()
        self._plain: dict[str, _Node] = {}

    def add(self, route: Route, target: Any) -> None:
        """`target` is what `find` gives for this route."""
        node = self._root
        for segment in route.path.strip("/").split("/"):
            node = _child(node, segment)
        if route.method in node.routes:
            raise RouteWrong(f"{route.method} {route.path} is declared twice.")
        node.routes[route.method] = (target, route.params)
        if not route.params:
            self._plain[route.path] = node

    def find(self, method: str, path: str) -> tuple[Any, dict[str, str]]:
        """The target and its path parameters; NotFound, or MethodNotAllowed when the path has other methods."""
        values: list[str] = []
        node = self._plain.get(path)
        if node is None:
            segments = path.split("/")[1:]
            node = _walk(self._root, segments, 0, values) if len(segments) <= MAX_SEGMENTS else None
        if node is None:
            raise NotFound("There is nothing at this address.")
        found = node.routes.get(method) or node.routes.get("*")
        if found is None and method == "HEAD":
            found = node.routes.get("GET")
        if found is None:
            raise MethodNotAllowed(node.routes)
        target, names = found
        return target, dict(zip(names, values, strict=True))


def _child(node: _Node, segment: str) -> _Node:
    parameter = PARAMETER.fullmatch(segment)
    if parameter and parameter[2]:
        node.rest = node.rest or _Node()
        return node.rest
    if parameter:
        node.any = node.any or _Node()
        return node.any
    if "{" not in segment:
        return node.fixed.setdefault(segment, _Node())
    pattern = re.compile("(.+)".join(re.escape(part) for part in PARAMETER.split(segment)[::3]))
    for known, child in node.patterns:
        if known.pattern == pattern.pattern:
            return child
    node.patterns.append((pattern, _Node()))
    return node.patterns[-1][1]


def _walk(node: _Node, segments: list[str], at: int, values: list[str]) -> _Node | None:
    if at == len(segments):
        return node if node.routes else None
    segment = segments[at]
    child = node.fixed.get(segment)
    if child is not None and (found := _walk(child, segments, at + 1, values)):
        return found
    if not segment and node.rest is None:
        return None
    return _walk_parameters(node, segments, at, values)


def _walk_parameters(node: _Node, segments: list[str], at: int, values: list[str]) -> _Node | None:
    segment = _text(segments[at])
    depth = len(values)
    for pattern, child in node.patterns:
        if match := pattern.fullmatch(segment):
            values.extend(match.groups())
            if found := _walk(child, segments, at + 1, values):
                return found
            del values[depth:]
    if node.any is not None and segment:
        values.append(segment)
        if found := _walk(node.any, segments, at + 1, values):
            return found
        del values[depth:]
    if node.rest is not None:
        values.append("/".join(map(_text, segments[at:])))
        return node.rest
    return None


def _text(segment: str) -> str:
    if "%" not in segment:
        return segment
    try:
        text = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise NotFound("There is nothing at this address.") from None
    if "\0" in text:
        raise NotFound("There is nothing at this address.")
    return text
