"""Whose page sent this, under which host name, from where: the checks before anything else.

A cookie is sent by every page that names us, so a request by cookie, and every socket, must come from our own pages.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from slipway_errors import Forbidden
from slipway_http.problems import RequestRefused

SAFE = {"GET", "HEAD", "OPTIONS"}


class ForeignOrigin(Forbidden):
    """This comes from a page of another origin."""

    code = "request.foreign_origin"


class Origins:
    """The host names that are answered, and the origins whose pages may use cookies and sockets."""

    def __init__(self, allowed_hosts: str | Iterable[str], origins: Iterable[str] = ()) -> None:
        names = allowed_hosts.split(",") if isinstance(allowed_hosts, str) else allowed_hosts
        self._hosts = {name.strip().lower() for name in names if name.strip()}
        self._origins = {origin.rstrip("/").lower() for origin in origins if origin}

    def check_host(self, host: str) -> None:
        """Refuse foreign host names (DNS rebinding). An empty list allows none but a single `*` all."""
        if "*" in self._hosts:
            return
        lowered = host.lower()
        if lowered not in self._hosts and host_name(lowered) not in self._hosts:
            raise RequestRefused(421, "This host name is not served here.")

    def check_page(self, method: str, headers: Mapping[str, str], *, socket: bool = False) -> None:
        """Refuse what was not sent by one of our own pages."""
        origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
        if origin is not None:
            if self._is_ours(origin, headers.get("Host", "")):
                return
        elif site in ("same-origin", "none") or (site is None and method in SAFE and not socket):
            return
        raise ForeignOrigin

    def _is_ours(self, origin: str, host: str) -> bool:
        lowered = origin.lower()
        return lowered in self._origins or (bool(host) and urlsplit(lowered).netloc == host.lower())


def session_cookie(host: str) -> str:
    """The cookie that holds the login of a browser at this Host."""
    return cookie_name("slipway_session", host)


def cookie_name(name: str, host: str) -> str:
    """A cookie's name at this Host. Browsers send cookies to every port of a host, so the port is part of the name."""
    port = host.removeprefix(host_name(host)).removeprefix(":")
    return f"{name}_{port}" if port.isdigit() else name


def host_name(host: str) -> str:
    """The Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def client_address(peer: str, forwarded: str | None, trusted: frozenset[str]) -> str:
    """Where a request came from: what our nearest proxy says, never what a client claims."""
    if forwarded is None or peer not in trusted:
        return peer
    nearest = forwarded.rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(nearest))
    except ValueError:
        return peer
