"""Who may do what, from a copy of core's `access` bucket in memory.

Invariant: no request waits for core or a database to be authorised, a revocation is in force as soon as the copy has
it, and a copy that has not heard from core for 30 s denies.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway_contracts.access import API_AUDIENCE, ROLE_PERMISSIONS, AccessEntry, Grant, Permission
from slipway_contracts.places import Place
from slipway_errors import Forbidden, NotFound, Unauthenticated, Unavailable
from slipway_security import jwt
from slipway_security.tokens import token_hash

STALE_AFTER = timedelta(seconds=30)
KEPT_JWTS = 10_000
NO_CLAIMS: Mapping[str, Any] = {}
WHO = {Permission.PUBLIC, Permission.SIGNED_IN}
"""Permissions about the caller alone, wherever."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `id` is empty for somebody without credentials."""

    id: str = ""
    kind: str = "anonymous"
    """user, token, anonymous."""
    name: str = ""
    grants: Sequence[Grant] = ()
    address: str = ""
    token_id: str = ""
    principal_key: str = ""
    """The key of this principal in the access bucket: `user.<id>`, `token.<hash>`."""
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    claims: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def may(self, permission: Permission, place: Place) -> bool:
        """Whether any of the caller's grants gives this permission there."""
        if permission is Permission.PUBLIC:
            return True
        if permission is Permission.SIGNED_IN:
            return bool(self.id)
        if not place.found or not place.organization_id:
            return False
        return any(permission in _permissions(grant, place) for grant in self.grants)


NOBODY = Caller()


def _permissions(grant: Grant, place: Place) -> frozenset[Permission]:
    if grant.organization_id != place.organization_id:
        return frozenset()
    builtin = ROLE_PERMISSIONS.get(grant.role)
    return builtin if builtin is not None else _custom(grant, place)


def _custom(grant: Grant, place: Place) -> frozenset[Permission]:
    """Rights of a custom role: any member reads the organization itself, the rest is stated per project and cluster."""
    if place.project_id:
        modes = grant.projects.get(place.project_id, {})
        if place.mode:
            return frozenset(modes.get(place.mode, ()))
        # The project itself: seen by whoever sees one of its modes, changed by who may change in all of them.
        given = [frozenset(permissions) for permissions in modes.values()]
        return (
            (frozenset.intersection(*given) | (frozenset.union(*given) & {Permission.READ})) if given else frozenset()
        )
    if place.cluster_id:
        return frozenset(grant.clusters.get(place.cluster_id, ()))
    return frozenset({Permission.READ})


class AccessCopy:
    """The copy: fed by `apply`, asked by every edge."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._entries: dict[str, AccessEntry] = {}
        self._keys: dict[str, str] = {}
        self._claims: dict[str, dict[str, Any]] = {}
        self._alive_at: datetime | None = None
        self._changed: set[Callable[[str], None]] = set()
        self._loaded = asyncio.Event()
        self._alive = asyncio.Event()

    # -- fed by the bus ------------------------------------------------------------------------------------------

    def apply(self, key: str, entry: AccessEntry | None) -> None:
        """Take over one key of the bucket; None removes it. Who listens is told."""
        if key == "alive":
            self._take_alive(entry)
            return
        kind, _, name = key.partition(".")
        if kind == "key":
            self._take_key(name, entry)
        elif entry is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = entry
        for callback in tuple(self._changed):
            callback(key)

    def loaded(self) -> None:
        """The bucket has been read to its end once."""
        self._loaded.set()

    def on_change(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Call back with each key that changed (`user.<id>`, `token.<hash>`); the result ends that."""
        self._changed.add(callback)
        return lambda: self._changed.discard(callback)

    def _take_alive(self, entry: AccessEntry | None) -> None:
        self._alive_at = entry.at if entry else None
        self._alive.set()

    def _take_key(self, kid: str, entry: AccessEntry | None) -> None:
        self._claims.clear()
        if entry is None or not entry.public_key_pem:
            self._keys.pop(kid, None)
        else:
            self._keys[kid] = entry.public_key_pem

    # -- asked by edges ------------------------------------------------------------------------------------------

    def fresh(self, now: datetime) -> bool:
        """Whether core was heard of lately; a copy that is not fresh denies."""
        return self._alive_at is not None and now - self._alive_at <= STALE_AFTER

    async def wait_ready(self, timeout_seconds: float = 30.0) -> None:
        """Wait until the copy is loaded and fresh; Unavailable when that takes too long."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._loaded.wait()
                while not self.fresh(self._clock()):
                    self._alive.clear()
                    await self._alive.wait()
        except TimeoutError:
            raise Unavailable("Who may do what is not known yet: core was not heard of.") from None

    async def wait_for(self, key: str, timeout_seconds: float) -> None:
        """Wait until somebody is known here (`user.<id>`), for a short while: then go on all the same."""
        came = asyncio.Event()
        stop = self.on_change(lambda changed: came.set() if changed == key else None)
        try:
            async with asyncio.timeout(timeout_seconds):
                while key not in self._entries:
                    await came.wait()
        except TimeoutError:
            return
        finally:
            stop()

    def authenticate(self, authorization: str | None, audience: str = API_AUDIENCE) -> Caller:
        """Who sends this Authorization header: `Bearer <JWT>` or `Token <key>`; Unauthenticated for nobody we know."""
        self._require_fresh()
        scheme, _, credentials = (authorization or "").strip().partition(" ")
        credentials = credentials.strip()
        if not credentials:
            raise Unauthenticated("Log in, or send a token.")
        if scheme.lower() == "bearer":
            return self._person(credentials, audience)
        if scheme.lower() == "token":
            return self._machine(credentials)
        raise Unauthenticated("Send `Authorization: Bearer <JWT>` or `Authorization: Token <key>`.")

    def recheck(self, caller: Caller) -> Caller:
        """The caller with today's grants, for sockets that stay open; Unauthenticated when no longer anybody."""
        if not caller.id:
            return caller
        self._require_fresh()
        entry = self._valid(caller.principal_key, caller.issued_at, caller.claims)
        if caller.expires_at is not None and caller.expires_at <= self._clock():
            raise Unauthenticated("The login has expired: log in again.")
        return replace(caller, name=entry.name, grants=entry.grants)

    def authorize(self, caller: Caller, permission: Permission, place: Place | None) -> None:
        """NotFound for what the caller may not see, Forbidden for what may be seen but not done."""
        if permission in WHO:
            if not caller.may(permission, place or Place(found=False)):
                raise Unauthenticated("Log in, or send a token.")
            return
        if not caller.id:
            raise Unauthenticated("Log in, or send a token.")
        self._require_fresh()
        if place is None or not caller.may(Permission.READ, place):
            raise NotFound
        if permission is not Permission.READ and not caller.may(permission, place):
            raise Forbidden(f"This needs the permission `{permission}` there.", permission=permission.value)

    def _require_fresh(self) -> None:
        if not self.fresh(self._clock()):
            raise Unavailable("Rights can't be checked: core was not heard of for too long.", retry_after_seconds=2.0)

    def _person(self, token: str, audience: str) -> Caller:
        claims = self._verified(token, audience)
        issued_at = datetime.fromtimestamp(claims["iat"], UTC)
        key = f"user.{claims['sub']}"
        entry = self._valid(key, issued_at, claims)
        return Caller(
            id=claims["sub"],
            kind="user",
            name=entry.name,
            grants=entry.grants,
            principal_key=key,
            issued_at=issued_at,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            claims=claims,
        )

    def _verified(self, token: str, audience: str) -> dict[str, Any]:
        known = f"{audience} {token_hash(token)}"
        claims = self._claims.get(known)
        if claims is None:
            claims = jwt.verify(token, self._keys, audience)
            if len(self._claims) >= KEPT_JWTS:
                self._claims.clear()
            self._claims[known] = claims
        elif claims["exp"] < self._clock().timestamp():
            raise Unauthenticated("The login has expired: log in again.")
        return claims

    def verify_claims(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a JWT that stands for itself (an engine's for one repository), not for a user's grants."""
        self._require_fresh()
        return self._verified(token, audience)

    def _machine(self, token: str) -> Caller:
        key = f"token.{token_hash(token)}"
        entry = self._valid(key, None)
        return Caller(
            id=entry.principal_id,
            kind="token",
            name=entry.name,
            grants=entry.grants,
            token_id=entry.principal_id,
            principal_key=key,
            expires_at=entry.expires_at,
        )

    def _valid(self, key: str, issued_at: datetime | None, claims: Mapping[str, Any] = NO_CLAIMS) -> AccessEntry:
        entry = self._entries.get(key)
        if entry is None:
            raise Unauthenticated("Nobody we know, or no longer: log in again, or make a new token.")
        if entry.expires_at is not None and entry.expires_at <= self._clock():
            raise Unauthenticated("The token has expired: make a new one.")
        if entry.revoked_before is not None and issued_at is not None and issued_at < entry.revoked_before:
            raise Unauthenticated("This login was ended: log in again.")
        if claims.get("sid") in entry.revoked_sessions:
            raise Unauthenticated("This login was ended: log in again.")
        return entry
