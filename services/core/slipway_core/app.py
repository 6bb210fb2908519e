"""What handlers may use: the pool, the bus, the keys, the clock, and `work()`, the transaction.

State and news commit together: whatever a unit of work changes, `Work.changed` writes beside it as an audit row and
an event in the outbox. What edges keep in memory (rights, Git links) is marked in `copies` in the same transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from slipway_bus import Bus
from slipway_bus.accounts import AccountsFile
from slipway_contracts.base import uuid7
from slipway_contracts.events import CHANGED, Event
from slipway_contracts.places import Place
from slipway_core.identity_provider import IdentityProvider
from slipway_core.outgoing import Outgoing
from slipway_core.registries import Registries
from slipway_core.remotes import Remotes
from slipway_core.settings import Settings
from slipway_core.stores.api_tokens import ApiTokens
from slipway_core.stores.approvals import ApprovalPolicies
from slipway_core.stores.audit import Audit, AuditEvent
from slipway_core.stores.cluster_locks import ClusterLocks
from slipway_core.stores.clusters import Clusters
from slipway_core.stores.commits import Commits
from slipway_core.stores.copies import Copies
from slipway_core.stores.databases import Databases
from slipway_core.stores.deployment_rules import DeploymentRules
from slipway_core.stores.deployments import Deployments
from slipway_core.stores.domains import CustomDomains, Restrictions
from slipway_core.stores.durations import Durations
from slipway_core.stores.environments import Environments
from slipway_core.stores.freezes import Freezes
from slipway_core.stores.git_events import GitEvents
from slipway_core.stores.git_links import GitLinks
from slipway_core.stores.idempotency import Idempotency
from slipway_core.stores.identities import Identities
from slipway_core.stores.images import Images
from slipway_core.stores.invitations import Invitations
from slipway_core.stores.job_outputs import JobOutputs
from slipway_core.stores.job_runs import JobRuns
from slipway_core.stores.keys import Keys, StoredDataKey
from slipway_core.stores.organizations import Members, Organizations
from slipway_core.stores.outside_accesses import OutsideAccesses
from slipway_core.stores.places import Places
from slipway_core.stores.principals import Principals
from slipway_core.stores.projects import Projects
from slipway_core.stores.releases import Releases
from slipway_core.stores.roles import Roles
from slipway_core.stores.services import Services
from slipway_core.stores.stages import Stages
from slipway_core.stores.steps import Steps
from slipway_core.stores.users import Users
from slipway_core.stores.variables import Variables
from slipway_errors import NotFound
from slipway_http.limits import Buckets
from slipway_postgres import Connection, Outbox, Pool, reading, transaction
from slipway_security import DecryptionFailed
from slipway_security.access import AccessCopy
from slipway_security.jwt import SigningKey
from slipway_security.keyring import DataKey, KeyRing

T = TypeVar("T")
EVENT_TYPES = {"created": "CREATE", "updated": "UPDATE", "deleted": "DELETE"}
"""Verbs of events as the reference's audit log names them; what has another name there says so (`event_type`)."""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does something, and from where."""

    id: str = ""
    kind: str = "system"
    """user, token, system."""
    name: str = "slipway"
    origin: str = "QOVERY_INTERNAL"
    """OrganizationEventOrigin of the reference: API, CLI, CONSOLE, GIT, QOVERY_INTERNAL, TERRAFORM_PROVIDER."""
    address: str = ""
    user_agent: str = ""
    request_id: str = ""

    @property
    def user_id(self) -> str | None:
        """The person, where it is one."""
        return self.id if self.kind == "user" else None


SYSTEM = Actor()
"""Slipway itself."""
PLATFORM = "platform"
"""Owner of the data key that is no organization's."""


class Work:
    """One transaction (or, from `Core.reading`, one connection): its stores, its news."""

    def __init__(self, connection: Connection, actor: Actor, now: datetime) -> None:
        self.connection = connection
        self.actor = actor
        self.now = now
        self.outbox = Outbox(connection)
        self.api_tokens = ApiTokens(connection)
        self.approval_policies = ApprovalPolicies(connection)
        self.audit = Audit(connection)
        self.cluster_locks = ClusterLocks(connection)
        self.clusters = Clusters(connection)
        self.commits = Commits(connection)
        self.copies = Copies(connection)
        self.custom_domains = CustomDomains(connection)
        self.databases = Databases(connection)
        self.deployment_rules = DeploymentRules(connection)
        self.deployments = Deployments(connection)
        self.durations = Durations(connection)
        self.environments = Environments(connection)
        self.freezes = Freezes(connection)
        self.git_events = GitEvents(connection)
        self.git_links = GitLinks(connection)
        self.idempotency = Idempotency(connection)
        self.images = Images(connection)
        self.identities = Identities(connection)
        self.invitations = Invitations(connection)
        self.job_outputs = JobOutputs(connection)
        self.job_runs = JobRuns(connection)
        self.keys = Keys(connection)
        self.members = Members(connection)
        self.organizations = Organizations(connection)
        self.outside_accesses = OutsideAccesses(connection)
        self.places = Places(connection)
        self.principals = Principals(connection)
        self.projects = Projects(connection)
        self.releases = Releases(connection)
        self.restrictions = Restrictions(connection)
        self.roles = Roles(connection)
        self.services = Services(connection)
        self.stages = Stages(connection)
        self.steps = Steps(connection)
        self.users = Users(connection)
        self.variables = Variables(connection)

    async def changed(
        self,
        entity: str,
        verb: str,
        place: Place,
        *,
        id: str,
        name: str,
        version: int = 1,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        target: str = "",
        sub_target: str | None = None,
        event_type: str = "",
    ) -> None:
        """Say that an entity changed: an audit row (who, from where, before and after) and the event CHANGED.

        `before` and `after` never hold a secret. `body` is what readers of the event need (contracts/events.py).
        `event_type`, `target`, `sub_target`: OrganizationEvent… of the reference, for the audit log.
        """
        event = Event(
            id=uuid7(),
            organization_id=place.organization_id,
            project_id=place.project_id,
            environment_id=place.environment_id,
            service_id=place.service_id,
            entity=entity,
            verb=verb,
            entity_id=id,
            version=version,
            actor=self.actor.name,
            origin=self.actor.origin,
            body={"name": name} | (body or {}),
            at=self.now,
        )
        row = self._audit_row(event, name, before, after, target or entity.upper(), sub_target)
        if event_type:
            row = msgspec.structs.replace(row, event_type=event_type)
        await self.audit.add(row)
        await self.outbox.add(
            CHANGED,
            event,
            id=event.id,
            aggregate=f"{entity}.{id}",
            organization_id=place.organization_id,
            entity=entity,
            verb=verb,
        )

    def _audit_row(
        self,
        event: Event,
        name: str,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        target: str,
        sub_target: str | None,
    ) -> AuditEvent:
        return AuditEvent(
            id=event.id,
            organization_id=event.organization_id,
            project_id=event.project_id or None,
            environment_id=event.environment_id or None,
            service_id=event.service_id or None,
            event_type=EVENT_TYPES.get(event.verb, "UPDATE"),
            target_type=target,
            target_id=event.entity_id,
            target_name=name,
            sub_target_type=sub_target,
            origin=self.actor.origin,
            actor=self.actor.name,
            actor_id=self.actor.id,
            address=self.actor.address,
            user_agent=self.actor.user_agent,
            request_id=self.actor.request_id,
            before=before,
            after=after,
            at=event.at,
        )


@dataclass(frozen=True)
class Tries:
    """How often secrets may be tried. Wider per person, so that a stranger doesn't lock somebody out easily."""

    by_address: Buckets = field(default_factory=lambda: Buckets(per_second=0.5, burst=20))
    """At passwords, and at tokens of invitations."""
    by_email: Buckets = field(default_factory=lambda: Buckets(per_second=1.0, burst=60))


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Core:
    """Everything that a handler gets."""

    pool: Pool
    bus: Bus
    master_key: KeyRing
    settings: Settings
    access: AccessCopy
    signing_key: SigningKey
    accounts: AccountsFile | None = None
    """The bus's accounts, where this platform issues them itself."""
    identity_provider: IdentityProvider | None = None
    """Where people log in, beside passwords."""
    clock: Callable[[], datetime] = utc_now
    tries: Tries = field(default_factory=Tries)
    background: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def remotes(self) -> Remotes:
        """Git remotes, to be asked where a branch stands."""
        return Remotes(self._inside)

    @property
    def registries(self) -> Registries:
        """Container registries, to be asked what they hold."""
        return Registries(Outgoing(self._inside))

    @property
    def _inside(self) -> frozenset[str]:
        """Hosts that may be asked although they are inside: our own, and those allowed."""
        allowed = self.settings.allowed_git_hosts.split(",")
        return frozenset({urlsplit(self.settings.public_url).hostname or "", *allowed}) - {""}

    @asynccontextmanager
    async def work(self, actor: Actor = SYSTEM) -> AsyncIterator[Work]:
        """A transaction: commits at the end of the block, rolls back when the block raises."""
        async with transaction(self.pool) as connection:
            yield Work(connection, actor, self.clock())

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Work]:
        """The stores on a connection without a transaction: for reads of a statement or a few."""
        async with reading(self.pool) as connection:
            yield Work(connection, SYSTEM, self.clock())

    async def encrypt(
        self, work: Work, organization_id: str | None, plaintext: str, bound_to: str
    ) -> tuple[str, bytes]:
        """(data key id, ciphertext) for a secret of an organization, or of the platform. Bound to its row."""
        key = await work.keys.current(organization_id) or await new_data_key(work, self.master_key, organization_id)
        opened = await self.master_key.open(key.wrapped, organization_id or PLATFORM)
        return key.id, opened.encrypt(plaintext.encode(), bound_to)

    async def data_keys(self, work: Work, organization_id: str | None, ids: set[str]) -> dict[str, DataKey]:
        """Data keys of an organization (None: of the platform), opened; those that aren't its own are left out."""
        wrapped = await work.keys.wrapped(organization_id, ids)
        return {id: await self.master_key.open(key, organization_id or PLATFORM) for id, key in wrapped.items()}

    async def decrypt(
        self, work: Work, organization_id: str | None, data_key_id: str, ciphertext: bytes, bound_to: str
    ) -> bytes:
        """A secret of an organization; DecryptionFailed when it is another's, another row's, or was changed."""
        keys = await self.data_keys(work, organization_id, {data_key_id})
        if data_key_id not in keys:
            raise DecryptionFailed("A stored secret can't be decrypted: its data key is not there.", bound_to=bound_to)
        return keys[data_key_id].decrypt(ciphertext, bound_to)


async def new_data_key(work: Work, master_key: KeyRing, organization_id: str | None) -> StoredDataKey:
    """The key that an organization encrypts with from now on, unless somebody made it just before."""
    await work.keys.before_new()
    return await work.keys.add(organization_id, await master_key.new_data_key(organization_id or PLATFORM))


def found(thing: T | None, what: str = "") -> T:
    """The thing, or NotFound."""
    if thing is None:
        raise NotFound(f"There is no such {what}." if what else "")
    return thing
