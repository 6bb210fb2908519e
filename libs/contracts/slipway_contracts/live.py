"""What agents and engines tell about running services: log lines, metrics, states."""

from datetime import datetime

from slipway_contracts.base import Message, Topic
from slipway_contracts.streams import LOGS, METRICS, STATES


class LogLine(Message, frozen=True, kw_only=True, array_like=True):
    """One line. `sequence` counts within the batch's `epoch`; readers drop what they have seen."""

    sequence: int
    time_ns: int
    """Unix time in nanoseconds, as written by the source."""
    stream: str
    """stdout, stderr, or system (said by Slipway itself: gap markers, step headers)."""
    text: str
    level: str = ""


class LogBatch(Message, frozen=True, kw_only=True):
    """Consecutive lines of one source (a process's log, a build)."""

    epoch: str
    """Identity of the source: unique per process start, container or task attempt."""
    source: str
    """Name to show: pod or process."""
    deployment_id: str = ""
    step_id: str = ""
    release: str = ""
    lines: list[LogLine]


class MetricSample(Message, frozen=True, kw_only=True):
    """One service at one moment, per process."""

    class Process(Message, frozen=True, kw_only=True):
        name: str
        cpu_milli: float
        memory_bytes: int
        restarts: int = 0

    at: datetime
    processes: list[Process]
    cpu_limit_milli: int = 0
    memory_limit_bytes: int = 0


class ProcessState(Message, frozen=True, kw_only=True):
    name: str
    state: str
    """STARTING, RUNNING, ERROR, STOPPING, STOPPED, COMPLETED, WARNING (running state of the reference)."""
    release: str = ""
    commit: str = ""
    deployment_id: str = ""
    started_at: datetime | None = None
    restarts: int = 0
    reason: str = ""
    """In words: exit code, signal, out of memory."""


class ServiceState(Message, frozen=True, kw_only=True):
    """What is alive now of one service."""

    cluster_id: str
    environment_id: str
    service_id: str
    state: str
    """Aggregated as the reference documents: all stopped STOPPED, any starting STARTING, some error WARNING …"""
    processes: list[ProcessState] = []
    deleted: bool = False
    """Tombstone: the service is gone."""
    reason: str = ""
    at: datetime


LOGGED = Topic("logs.{cluster_id}.{environment_id}.{service_id}.{kind}", LogBatch, owner="agent", stream=LOGS)
"""kind: run, build, deploy. `run` comes from the agent, `build` and `deploy` from the engine."""
MEASURED = Topic("metrics.{cluster_id}.{environment_id}.{service_id}", MetricSample, owner="agent", stream=METRICS)
STATED = Topic("states.{cluster_id}.{environment_id}.{service_id}", ServiceState, owner="agent", stream=STATES)
