"""Who may do what: what edges (gateways, Git, shell) authorise from, kept by core in the KV bucket `access`.

Keys: `token.<sha256 of the token, hex>` → AccessEntry · `user.<user id>` → AccessEntry (grants behind a JWT) ·
`key.<kid>` → AccessEntry (a public key that verifies core's JWTs) · `alive` → AccessEntry (core's heartbeat: a copy
whose `alive` is older than 30 s denies).
"""

from datetime import datetime
from enum import StrEnum

from slipway_contracts.base import Bucket, Message


class Permission(StrEnum):
    """What a route, socket or subject can ask for. The table of roles below says who has which."""

    PUBLIC = "public"
    """Anybody, also without credentials."""
    SIGNED_IN = "signed_in"
    """Anybody we know; the handler shows only what is theirs."""
    READ = "read"
    """See an organization, project, environment, service, cluster and what they do (never a secret)."""
    DEPLOY = "deploy"
    """Deploy, stop, restart, cancel."""
    MANAGE = "manage"
    """Create, change, delete services, variables, environments, rules."""
    SHELL = "shell"
    """Open a terminal or port-forward in a service."""
    ADMIN = "admin"
    """Members, roles, tokens, clusters, registries, the organization itself."""
    OWNER = "owner"
    """Delete or hand over the organization."""
    BILLING = "billing"
    """Plan and invoices."""
    INTERNAL = "internal"
    """Another service of the control plane, by its own key."""


ALL_IN_PROJECT = frozenset({Permission.READ, Permission.DEPLOY, Permission.MANAGE, Permission.SHELL})

ROLE_PERMISSIONS: dict[str, frozenset[Permission]] = {
    "owner": ALL_IN_PROJECT | {Permission.ADMIN, Permission.OWNER, Permission.BILLING},
    "admin": ALL_IN_PROJECT | {Permission.ADMIN, Permission.BILLING},
    "devops": ALL_IN_PROJECT,
    "billing": frozenset({Permission.READ, Permission.BILLING}),
    "viewer": frozenset({Permission.READ}),
}
"""The built-in roles. Custom roles state their permissions per cluster and per project and mode in a Grant."""


class Grant(Message, frozen=True, kw_only=True):
    """What somebody may do in one organization."""

    organization_id: str
    role: str
    """A built-in role's name, or the id of a custom one, whose rights are then in `clusters` and `projects`."""
    clusters: dict[str, list[Permission]] = {}
    """Custom roles: cluster id → permissions."""
    projects: dict[str, dict[str, list[Permission]]] = {}
    """Custom roles: project id → environment mode → permissions."""


class AccessEntry(Message, frozen=True, kw_only=True):
    """One value of the bucket: a principal with its grants, a verification key, or core's heartbeat."""

    principal_id: str = ""
    kind: str = "user"
    """user, token, key, alive."""
    name: str = ""
    """E-mail of a user, name of a token: for audit and display."""
    grants: list[Grant] = []
    expires_at: datetime | None = None
    revoked_before: datetime | None = None
    """JWTs of this user issued before are void (log-out everywhere, password change, member removed)."""
    revoked_sessions: list[str] = []
    """Logins of this user (claim `sid`) that were ended one by one."""
    public_key_pem: str = ""
    version: int = 0
    at: datetime | None = None


ACCESS = Bucket("access", AccessEntry, owner="core", description="Principals, grants, keys")

API_AUDIENCE = "slipway-api"
GIT_AUDIENCE = "slipway-git"
"""`aud` of the short-lived JWTs that let an engine read one repository; claim `repository` names it."""
