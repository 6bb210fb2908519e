"""Callers with rights, without core: an AccessCopy that a test fills, with logins that it accepts."""

from datetime import UTC, datetime, timedelta

from slipway_contracts.access import API_AUDIENCE, AccessEntry, Grant
from slipway_security import jwt, tokens
from slipway_security.access import AccessCopy, Caller

NEVER_STALE = timedelta(days=365)


class AccessForTests:
    """`access.copy` is the AccessCopy; `access.bearer("owner", organization_id)` are headers that it accepts."""

    def __init__(self) -> None:
        self.key = jwt.new_signing_key()
        self.copy = AccessCopy()
        self.entries: dict[str, AccessEntry] = {}
        self.put("alive", AccessEntry(kind="alive", at=datetime.now(UTC) + NEVER_STALE))
        self.put(f"key.{self.key.kid}", AccessEntry(kind="key", public_key_pem=self.key.public_pem))
        self.copy.loaded()

    def put(self, key: str, entry: AccessEntry | None) -> None:
        """Change one entry, as core would."""
        self.entries.pop(key, None)
        if entry is not None:
            self.entries[key] = entry
        self.copy.apply(key, entry)

    def person(self, role: str, organization_id: str, *, id: str = "", grant: Grant | None = None) -> str:
        """Make a user with a role in an organization; the id."""
        id = id or f"{role}-{organization_id}"
        grants = [grant or Grant(organization_id=organization_id, role=role)]
        self.put(f"user.{id}", AccessEntry(principal_id=id, name=f"{id}@example.com", grants=grants))
        return id

    def jwt_for(self, id: str, audience: str = API_AUDIENCE, lifetime_seconds: float = 3600) -> str:
        """A login of a user."""
        return jwt.issue(self.key, id, audience, lifetime_seconds, sid="test")

    def bearer(self, role: str, organization_id: str) -> dict[str, str]:
        """Headers of a new user with this role."""
        return {"Authorization": f"Bearer {self.jwt_for(self.person(role, organization_id))}"}

    def token(self, role: str, organization_id: str) -> str:
        """A machine's token with this role."""
        token = tokens.new_token()
        grants = [Grant(organization_id=organization_id, role=role)]
        key = f"token.{tokens.token_hash(token)}"
        self.put(key, AccessEntry(principal_id=f"token-{role}", kind="token", name=f"{role} token", grants=grants))
        return token

    def caller(self, role: str, organization_id: str) -> Caller:
        """What handlers get for a new user with this role."""
        return self.copy.authenticate(self.bearer(role, organization_id)["Authorization"])
