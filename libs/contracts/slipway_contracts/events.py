"""Every change of the control plane, as core tells it after the commit."""

from datetime import datetime
from typing import Any

from slipway_contracts.base import Message, Topic
from slipway_contracts.streams import EVENTS


class Event(Message, frozen=True, kw_only=True):
    """Entity `entity_id` is now at `version`; `body` is what its readers need (below, per entity).

    Entities: organization, project, environment, service, deployment, cluster, deployment_rule, freeze,
    approval_policy, token, member.
    Verbs: created, updated, deleted; for deployments also queued, started, progressed, ended.
    """

    id: str
    organization_id: str
    project_id: str = ""
    environment_id: str = ""
    service_id: str = ""
    deployment_id: str = ""
    entity: str
    verb: str
    entity_id: str
    version: int
    actor: str = ""
    """Who: e-mail, token name, or `slipway` with the cause (rule, schedule, push)."""
    origin: str = ""
    body: dict[str, Any] = {}
    at: datetime


CHANGED = Topic("events.{organization_id}.{entity}.{verb}", Event, owner="core", stream=EVENTS)


class StepView(Message, frozen=True, kw_only=True):
    """A step of a deployment as events and the API show it."""

    id: str
    service_id: str
    service_name: str
    kind: str
    stage: str
    state: str
    """PENDING, READY (sent to an engine), RUNNING, SUCCEEDED, FAILED, CANCELED, SKIPPED."""
    message: str = ""
    code: str = ""
    details: str = ""
    percent: int | None = None
    """What its engine says, or by time; None when nobody knows."""
    estimated_seconds: float | None = None
    """How long its last runs took (median); None: it never ran before."""
    remaining_seconds: float | None = None
    """What is likely left; 0 while it takes longer than usual."""
    depends_on: list[str] = []
    ready_at: datetime | None = None
    """When it was sent to the cluster."""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class DeploymentView(Message, frozen=True, kw_only=True):
    """Body of every deployment event: the whole deployment, small enough to send each time."""

    id: str
    number: int
    organization_id: str
    project_id: str
    environment_id: str
    action: str
    """DEPLOY, RESTART, STOP, START, DELETE."""
    status: str
    """StateEnum of the reference."""
    reason: str = ""
    """Why it waits, or in one sentence why it failed."""
    trigger: str = ""
    """manual, push, schedule, rollback."""
    triggered_by: str = ""
    commits: dict[str, str] = {}
    """service id → commit."""
    steps: list[StepView] = []
    percent: int | None = None
    remaining_seconds: float | None = None
    """What is likely left; None when steps of it never ran before, or it doesn't run."""
    approval: str = ""
    """Empty (none needed), WAITING, APPROVED, DENIED, EXPIRED."""
    approval_until: datetime | None = None
    approval_by: str = ""
    approval_comment: str = ""
    notes: list[str] = []
    """What else was done for it, e.g. that auto-deploy was switched off."""
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
