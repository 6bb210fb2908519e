"""Tasks out to engines, orders about them, and what engines report back."""

from datetime import datetime
from enum import StrEnum

from slipway_contracts.base import Message, Topic
from slipway_contracts.specs import ServiceSpec
from slipway_contracts.streams import CONTROL, REPORTS, TASKS


class TaskKind(StrEnum):
    BUILD = "build"
    DEPLOY = "deploy"
    STOP = "stop"
    START = "start"
    RESTART = "restart"
    DELETE = "delete"
    RUN = "run"
    """Run a deployed job, beside its deployments: its fences are of their own."""
    CLEAN = "clean"
    """Remove what failed runs of a job left."""


class Task(Message, frozen=True, kw_only=True):
    """One step of a deployment for one service.

    The fence grows with every task of a service; (fence, delivery count of the message) is what an engine writes
    where the effect is, so that one that lost its lease is stopped there.
    """

    id: str
    kind: TaskKind
    attempt: int = 1
    fence: int
    organization_id: str
    project_id: str
    environment_id: str
    service_id: str
    cluster_id: str
    deployment_id: str
    step_id: str
    service: ServiceSpec
    artifact: str = ""
    """What the build step reported; input of deploy."""
    event: str = ""
    """Jobs: the command to run with it (JobEvent); empty: none."""
    reply_key: bytes = b""
    """Jobs: the X25519 key to seal outputs for."""
    sealed_secrets: bytes = b""
    """TaskSecrets, HPKE-sealed to the cluster's key, bound to cluster id and task id."""
    deadline_at: datetime
    created_at: datetime


class TaskState(StrEnum):
    STARTED = "started"
    PROGRESS = "progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    REFUSED = "refused"
    """An engine found a newer fence: it did nothing."""


class StepMetric(Message, frozen=True, kw_only=True):
    """How long a part of a step took; names as in the public API (GIT_CLONE, BUILD, DEPLOYMENT …)."""

    name: str
    status: str
    duration_seconds: float


class Report(Message, frozen=True, kw_only=True):
    """What an engine says of a task. (task, attempt, sequence) is unique; older attempts and fences are ignored."""

    cluster_id: str
    engine_id: str
    task_id: str
    step_id: str
    deployment_id: str
    service_id: str
    fence: int
    delivery: int
    """How many times the task message was delivered: the second half of the fence."""
    sequence: int
    """1, 2, 3 … within (task, delivery)."""
    state: TaskState
    code: str = ""
    """Stable code of the failure, e.g. build.no_plan, start.exited, start.never_listened."""
    message: str = ""
    """One sentence for the user."""
    details: str = ""
    """The last lines that explain it."""
    percent: int | None = None
    artifact: str = ""
    outputs: dict[str, str] = {}
    sealed_outputs: bytes = b""
    """JobOutputs, HPKE-sealed to the task's `reply_key`, bound to cluster id and task id."""
    metrics: list[StepMetric] = []
    at: datetime


class Hello(Message, frozen=True, kw_only=True):
    """An engine or agent came up (and says so again every 15 s): version, capabilities, the key to seal for."""

    cluster_id: str
    sender: str
    """engine or agent."""
    instance_id: str
    version: str
    capabilities: list[str] = []
    public_key: bytes = b""
    at: datetime


class ClusterReport(Message, frozen=True, kw_only=True):
    """What travels in REPORTS: exactly one of the fields is set."""

    report: Report | None = None
    hello: Hello | None = None


class Order(Message, frozen=True, kw_only=True):
    """What should happen to a task that may be running: cancel safely, or by force."""

    task_id: str
    cancel: bool = True
    forced: bool = False
    reason: str = ""
    at: datetime


TASK = Topic("tasks.{cluster_id}", Task, owner="core", stream=TASKS)
REPORTED = Topic("reports.{cluster_id}", ClusterReport, owner="engine", stream=REPORTS)
ORDERED = Topic("control.{cluster_id}.{task_id}", Order, owner="core", stream=CONTROL)

LEASE_SECONDS = 30.0
"""Ack wait of the task consumers: an engine that is silent for so long loses the task to another one."""
HEARTBEAT_SECONDS = 10.0
