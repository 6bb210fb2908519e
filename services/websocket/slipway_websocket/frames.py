"""What the reference's clients get below /ws, in its shapes: pure functions from our messages to frames.

One class per endpoint; calling it with an item gives whole WebSocket frames, or nothing where the endpoint has no word
for the item. `ServiceStatuses` remembers, because its frames are always the whole environment.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from slipway_contracts.events import DeploymentView, Event, StepView
from slipway_contracts.live import LogBatch, LogLine, MetricSample, ProcessState, ServiceState
from slipway_contracts.places import Place
from slipway_websocket.items import Item
from slipway_websocket.sockets import text_frame

NANOSECONDS = 1_000_000
KINDS = ("applications", "containers", "databases", "jobs", "helms", "terraforms", "agentic_workflows")
STATUS_KINDS = ("containers", "databases", "jobs", "helms", "terraform", "argocd_apps", "agentic_workflows")
MIB = 1024 * 1024

_encode = msgspec.json.encode


def _milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0


class ServiceLogs:
    """/service/logs: one frame per line."""

    def __init__(self, pod: str = "", query: str = "") -> None:
        self._pod = pod
        self._query = query.lower()

    def __call__(self, item: Item) -> bytes:
        return b"".join(self.lines([item]))

    def lines(self, items: list[Item]) -> list[bytes]:
        """The frames of some items, line by line."""
        return [
            text_frame(_encode(_service_line(batch, line)))
            for batch in (item.message for item in items)
            if isinstance(batch, LogBatch) and self._pod in ("", batch.source)
            for line in batch.lines
            if not self._query or self._query in line.text.lower()
        ]


def _service_line(batch: LogBatch, line: LogLine) -> dict[str, Any]:
    return {
        "created_at": line.time_ns // NANOSECONDS,
        "message": line.text,
        "pod_name": batch.source,
        "container_name": batch.source,
        "version": batch.release,
        "severity_text": line.level.upper(),
        "labels": {"stream": line.stream, "deployment_id": batch.deployment_id},
        "from_kube": line.stream == "system",
    }


class DeploymentLogs:
    """/deployment/logs: a frame is a list of entries."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __call__(self, item: Item) -> bytes:
        batch = item.message
        assert isinstance(batch, LogBatch)
        _, _, _, service, kind = item.subject.split(".")
        return text_frame(_encode([self._entry(batch, line, service, kind) for line in batch.lines]))

    def _entry(self, batch: LogBatch, line: LogLine, service: str, kind: str) -> dict[str, Any]:
        return {
            "type": "LOG",
            "timestamp": datetime.fromtimestamp(line.time_ns / 1e9, UTC),
            "details": {
                "organization_id": self._place.organization_id,
                "cluster_id": self._place.cluster_id,
                "execution_id": batch.deployment_id,
                "transmitter": {"id": service, "name": batch.source, "type": "APPLICATION"},
                "stage": {"step": kind.upper(), "id": batch.step_id or None, "name": None},
            },
            "error": {"user_log_message": line.text} if line.level in ("error", "fatal") else None,
            "message": {"safe_message": line.text, "full_details": ""},
        }


class ServiceStatuses:
    """/service/status: every frame is the whole environment."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._known: dict[str, tuple[int, ServiceState]] = {}

    def __call__(self, item: Item) -> bytes:
        self.take(item)
        return self.frame()

    def take(self, item: Item) -> None:
        """Remember a state, unless a newer one of the service is known."""
        state = item.message
        assert isinstance(state, ServiceState)
        if self._known.get(state.service_id, (0, state))[0] <= item.sequence:
            self._known[state.service_id] = (item.sequence, state)

    def frame(self) -> bytes:
        states = [state for _, state in self._known.values() if not state.deleted]
        environment: dict[str, Any] = {
            "id": self._place.environment_id,
            "project_id": self._place.project_id,
            "state": _overall([state.state for state in states]),
            "applications": [_application(state) for state in states],
        }
        environment |= {kind: [] for kind in STATUS_KINDS}
        return text_frame(_encode({"environments": [environment]}))


def _overall(states: list[str]) -> str:
    for word in ("STARTING", "STOPPING"):
        if word in states:
            return word
    distinct = set(states)
    if len(distinct) <= 1:
        return states[0] if states else "STOPPED"
    return "WARNING" if distinct & {"ERROR", "WARNING"} else "RUNNING"


def _application(state: ServiceState) -> dict[str, Any]:
    pods = [_pod(process) for process in state.processes]
    return {"id": state.service_id, "state": state.state, "pods": pods, "certificates": [], "scaled_object": None}


def _pod(process: ProcessState) -> dict[str, Any]:
    return {
        "name": process.name,
        "state": process.state,
        "state_reason": process.state,
        "state_message": process.reason,
        "restart_count": process.restarts,
        "containers": [],
        "started_at": _milliseconds(process.started_at),
        "service_version": process.commit or process.release,
        "last_events": [],
    }


class ServiceMetrics:
    """/service/metrics: a frame is a list with one entry per process."""

    def __call__(self, item: Item) -> bytes:
        sample = item.message
        assert isinstance(sample, MetricSample)
        return text_frame(_encode([_measured(sample, process) for process in sample.processes]))


def _measured(sample: MetricSample, process: MetricSample.Process) -> dict[str, Any]:
    return {
        "pod_name": process.name,
        "cpu": _metric(round(process.cpu_milli), sample.cpu_limit_milli, "mCPU"),
        "memory": _metric(process.memory_bytes // MIB, sample.memory_limit_bytes // MIB, "MiB"),
        "storages": [],
    }


def _metric(current: int, limit: int, unit: str) -> dict[str, Any]:
    percent = round(100 * current / limit) if limit else 0
    status = "ALERT" if percent >= 90 else "WARNING" if percent >= 75 else "OK"
    return {"current": current, "limit": limit, "current_percent": percent, "status": status, "unit": unit}


class DeploymentStatuses:
    """/deployment/status: the last deployment's stages, whole, each time it moves."""

    def __call__(self, item: Item) -> bytes:
        event = item.message
        assert isinstance(event, Event)
        if event.entity != "deployment":
            return b""
        try:
            view = msgspec.convert(event.body, DeploymentView)
        except msgspec.ValidationError:
            return b""
        return text_frame(_encode(_with_stages(view)))


def _with_stages(view: DeploymentView) -> dict[str, Any]:
    stages: dict[str, list[StepView]] = {}
    for step in view.steps:
        stages.setdefault(step.stage, []).append(step)
    return {
        "environment": {
            "id": view.environment_id,
            "state": view.status,
            "last_deployment_state": view.status,
            "last_deployment_id": view.id,
            "last_deployment_date": view.ended_at or view.started_at or view.created_at,
            "deployment_request_id": view.id,
            "triggered_by": view.triggered_by or None,
            "total_deployment_duration_in_seconds": _duration(view.started_at, view.ended_at),
        },
        "stages": [_stage(name, steps, view) for name, steps in stages.items()],
        "pre_check_stage": {"status": "SUCCESS" if view.started_at else "SKIP", "total_duration_sec": 0},
    }


def _stage(name: str, steps: list[StepView], view: DeploymentView) -> dict[str, Any]:
    by_service: dict[str, list[StepView]] = {}
    for step in steps:
        by_service.setdefault(step.service_id, []).append(step)
    stage: dict[str, Any] = {kind: [] for kind in KINDS}
    stage["applications"] = [_status(service, own, view) for service, own in by_service.items()]
    stage["stage"] = {"id": view.id, "name": name, "description": "", "status": _stage_status(steps)}
    return stage


def _stage_status(steps: list[StepView]) -> str:
    states = {step.state for step in steps}
    for state, word in (("FAILED", "ERROR"), ("CANCELED", "CANCELED"), ("RUNNING", "ONGOING"), ("READY", "ONGOING")):
        if state in states:
            return word
    if states == {"SKIPPED"}:
        return "SKIPPED"
    return "DONE" if states <= {"SUCCEEDED", "SKIPPED"} else "QUEUED" if states <= {"PENDING"} else "ONGOING"


GOING = {"build": "BUILDING", "deploy": "DEPLOYING", "stop": "STOPPING", "start": "DEPLOYING",
         "restart": "RESTARTING", "delete": "DELETING"}  # fmt: skip
DONE = {"build": "BUILDING", "deploy": "DEPLOYED", "stop": "STOPPED", "start": "DEPLOYED", "restart": "RESTARTED",
        "delete": "DELETED"}  # fmt: skip
FAILED = {"build": "BUILD_ERROR", "deploy": "DEPLOYMENT_ERROR", "stop": "STOP_ERROR", "start": "DEPLOYMENT_ERROR",
          "restart": "RESTART_ERROR", "delete": "DELETE_ERROR"}  # fmt: skip
QUEUED = {"DEPLOY": "DEPLOYMENT_QUEUED", "START": "DEPLOYMENT_QUEUED", "STOP": "STOP_QUEUED",
          "RESTART": "RESTART_QUEUED", "DELETE": "DELETE_QUEUED"}  # fmt: skip
ACTION_STATUS = {"PENDING": "QUEUED", "READY": "ONGOING", "RUNNING": "ONGOING", "SUCCEEDED": "SUCCESS",
                 "FAILED": "ERROR", "CANCELED": "CANCELED", "SKIPPED": "NEVER"}  # fmt: skip


def _status(service: str, steps: list[StepView], view: DeploymentView) -> dict[str, Any]:
    step = _telling(steps)
    action = "DEPLOY" if view.action == "START" else view.action
    return {
        "id": service,
        "state": _state(step, view),
        "service_deployment_status": "UP_TO_DATE" if step.state == "SUCCEEDED" else "OUT_OF_DATE",
        "is_part_last_deployment": True,
        "deployment_requests_count": 0,
        "deployment_request_id": view.id,
        "execution_id": view.id,
        "status_details": {"action": action, "status": ACTION_STATUS.get(step.state, "ONGOING"), "sub_action": "NONE"},
        "steps": {
            "total_duration_sec": _duration(steps[0].started_at, step.ended_at) or 0,
            "details": [_step(one) for one in steps if one.ended_at],
        },
    }


def _telling(steps: list[StepView]) -> StepView:
    """The step that says how the service is: the one that failed or runs, else the last that has begun."""
    for state in ("FAILED", "CANCELED", "RUNNING", "READY"):
        for step in steps:
            if step.state == state:
                return step
    begun = [step for step in steps if step.state != "PENDING"]
    return begun[-1] if begun and begun[-1] is steps[-1] else steps[-1] if not begun else begun[-1]


def _state(step: StepView, view: DeploymentView) -> str:
    if step.state in ("READY", "RUNNING"):
        return GOING.get(step.kind, "EXECUTING")
    if step.state == "SUCCEEDED":
        return DONE.get(step.kind, "DEPLOYED")
    if step.state == "FAILED":
        return FAILED.get(step.kind, "DEPLOYMENT_ERROR")
    if step.state in ("CANCELED", "SKIPPED"):
        return "CANCELED"
    return QUEUED.get(view.action, "QUEUED")


def _step(step: StepView) -> dict[str, Any]:
    words = {"SUCCEEDED": "SUCCESS", "FAILED": "ERROR", "CANCELED": "CANCEL"}
    name = "BUILD" if step.kind == "build" else "DEPLOYMENT"
    duration = _duration(step.started_at, step.ended_at) or 0
    return {"step_name": name, "status": words.get(step.state, "SKIP"), "duration_sec": duration}


def _duration(start: datetime | None, end: datetime | None) -> int | None:
    return round((end - start).total_seconds()) if start and end else None
