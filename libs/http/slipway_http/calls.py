"""What a handler gets to know of one request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar

from slipway_contracts.access import Permission
from slipway_contracts.places import Place
from slipway_errors import NotFound
from slipway_security.access import NOBODY, AccessCopy, Caller

B = TypeVar("B")


class Locator(Protocol):
    """Where a thing stands; None when there is no such thing."""

    async def __call__(self, kind: str, id: str, /) -> Place | None: ...


class Call(Generic[B]):
    """One request, authenticated, authorised and decoded."""

    __slots__ = (
        "_access",
        "_cookies",
        "_locate",
        "address",
        "body",
        "caller",
        "headers",
        "path",
        "place",
        "query",
        "request_id",
        "response_headers",
        "status",
    )

    def __init__(
        self,
        *,
        path: dict[str, str],
        headers: Mapping[str, str],
        address: str,
        request_id: str,
        access: AccessCopy,
        locate: Locator | None,
    ) -> None:
        self.path = path
        """Path parameters by name."""
        self.headers = headers
        """Headers of the request; names in any case."""
        self.address = address
        """Where it came from, behind our own proxies."""
        self.request_id = request_id
        self.caller: Caller = NOBODY
        self.place = Place(found=False)
        """Where the thing stands that `of` names."""
        self.query: Any = None
        self.body: B = None  # type: ignore[assignment]
        self.status = 0
        """Set it to answer with another status than the route's."""
        self.response_headers: dict[str, str] = {}
        """Further headers of the answer."""
        self._cookies: list[str] = []
        self._access = access
        self._locate = locate

    async def locate(self, kind: str, id: str, permission: Permission = Permission.READ) -> Place:
        """The place of something that the body or query names, once the caller's permission there is checked."""
        place = await self._locate(kind, id) if self._locate else None
        self._access.authorize(self.caller, permission, place)
        if place is None:
            raise NotFound
        return place

    def may(self, permission: Permission) -> bool:
        """Whether the caller also has this permission at the route's place."""
        return self.caller.may(permission, self.place)

    def cookie(self, name: str) -> str:
        """A cookie of the request; empty when there is none."""
        for part in self.headers.get("Cookie", "").split(";"):
            known, _, value = part.strip().partition("=")
            if known == name:
                return value.strip('"')
        return ""

    def set_cookie(
        self,
        name: str,
        value: str,
        max_age_seconds: int,
        *,
        secure: bool,
        path: str = "/",
        same_site: Literal["Strict", "Lax"] = "Strict",
    ) -> None:
        """Set a cookie that no script reads and no other site sends; an empty value with age 0 removes it.

        `Lax`: it comes along when another site leads the browser here.
        """
        parts = [f"{name}={value}", f"Path={path}", f"Max-Age={max_age_seconds}", "HttpOnly", f"SameSite={same_site}"]
        self._cookies.append("; ".join([*parts, "Secure"] if secure else parts))

    @property
    def cookies(self) -> list[str]:
        """Set-Cookie headers of the answer."""
        return self._cookies

    @property
    def expires_at(self) -> datetime | None:
        """When the caller's login ends."""
        return self.caller.expires_at
