"""The state machine of deployments and of their steps, as two tables.

Every state that the public API knows stands here once: which states may follow, how long it may last, what happens
then, and the sentence that is shown meanwhile. Nothing else decides whether a transition is allowed; the picture in
docs/deployment-states.md is drawn from these tables (`python -m slipway_core.machine`).
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MINUTE = 60.0
HOUR = 60 * MINUTE

ENGINE_SILENT_SECONDS = 45.0
"""Engines say hello every 15 s: after three missed ones a cluster counts as silent."""
UNAVAILABLE_AFTER_SECONDS = 2 * MINUTE
"""How long a deployment waits for a silent cluster before it says UNAVAILABLE."""
CANCEL_SECONDS = 30.0
"""How long an engine has to acknowledge a cancel; then it is forced, and after as long again given up."""
REFUSED_SECONDS = 60.0
"""How long a step may go on without a word after an engine refused it for its fence."""
MAX_DELIVERIES = 5
"""How many engines may take a task and be lost with it."""


class Action(StrEnum):
    DEPLOY = "DEPLOY"
    RESTART = "RESTART"
    STOP = "STOP"
    START = "START"
    DELETE = "DELETE"


class State(StrEnum):
    """StateEnum of the public API: of a deployment, and of a service or environment by its last deployment."""

    READY = "READY"
    QUEUED = "QUEUED"
    DEPLOYMENT_QUEUED = "DEPLOYMENT_QUEUED"
    RESTART_QUEUED = "RESTART_QUEUED"
    STOP_QUEUED = "STOP_QUEUED"
    DELETE_QUEUED = "DELETE_QUEUED"
    WAITING_RUNNING = "WAITING_RUNNING"
    WAITING_RESTARTING = "WAITING_RESTARTING"
    WAITING_STOPPING = "WAITING_STOPPING"
    WAITING_DELETING = "WAITING_DELETING"
    UNAVAILABLE = "UNAVAILABLE"
    BUILDING = "BUILDING"
    DEPLOYING = "DEPLOYING"
    EXECUTING = "EXECUTING"
    RESTARTING = "RESTARTING"
    STOPPING = "STOPPING"
    DELETING = "DELETING"
    CANCELING = "CANCELING"
    RECAP = "RECAP"
    DEPLOYED = "DEPLOYED"
    RESTARTED = "RESTARTED"
    STOPPED = "STOPPED"
    DELETED = "DELETED"
    CANCELED = "CANCELED"
    BUILD_ERROR = "BUILD_ERROR"
    DEPLOYMENT_ERROR = "DEPLOYMENT_ERROR"
    RESTART_ERROR = "RESTART_ERROR"
    STOP_ERROR = "STOP_ERROR"
    DELETE_ERROR = "DELETE_ERROR"


class Phase(StrEnum):
    IDLE = "idle"
    """Nothing was asked yet."""
    QUEUED = "queued"
    """Waits for another deployment of its environment."""
    RUNNING = "running"
    """The one running deployment of its environment."""
    ENDED = "ended"


@dataclass(frozen=True)
class Words:
    """Which states an action goes through."""

    queued: State
    waiting: State
    working: State
    done: State
    error: State


WORDS: dict[Action, Words] = {
    Action.DEPLOY: Words(
        State.DEPLOYMENT_QUEUED, State.WAITING_RUNNING, State.DEPLOYING, State.DEPLOYED, State.DEPLOYMENT_ERROR
    ),
    Action.START: Words(State.QUEUED, State.WAITING_RUNNING, State.DEPLOYING, State.DEPLOYED, State.DEPLOYMENT_ERROR),
    Action.RESTART: Words(
        State.RESTART_QUEUED, State.WAITING_RESTARTING, State.RESTARTING, State.RESTARTED, State.RESTART_ERROR
    ),
    Action.STOP: Words(State.STOP_QUEUED, State.WAITING_STOPPING, State.STOPPING, State.STOPPED, State.STOP_ERROR),
    Action.DELETE: Words(
        State.DELETE_QUEUED, State.WAITING_DELETING, State.DELETING, State.DELETED, State.DELETE_ERROR
    ),
}


@dataclass(frozen=True)
class Rule:
    """One row of the table."""

    phase: Phase
    to: frozenset[State]
    reason: str
    """What is shown while it lasts, when nothing more exact is known."""
    limit_seconds: float | None = None
    """How long it may last. None: it rests here until somebody asks for something."""
    at_limit: State | None = None
    """What follows at the limit; None with a limit: the error state of the deployment's action."""


QUEUES = frozenset(words.queued for words in WORDS.values())
ERRORS = frozenset({State.BUILD_ERROR, *(words.error for words in WORDS.values())})
WAITING = frozenset(words.waiting for words in WORDS.values())
DONE = frozenset(words.done for words in WORDS.values())
START_AGAIN = QUEUES
"""An environment or service at rest goes on with its next deployment, which begins in the queue."""


def _queued(next_state: State, what: str) -> Rule:
    to = frozenset({next_state, State.CANCELED})
    return Rule(Phase.QUEUED, to, f"waits to {what}", 24 * HOUR, State.CANCELED)


def _waiting(*works: State) -> Rule:
    to = frozenset({*works, State.UNAVAILABLE, State.CANCELING, State.CANCELED, State.RECAP})
    return Rule(Phase.RUNNING, to, "waits for a free engine of the cluster", HOUR)


def _working(reason: str, limit_seconds: float, *more: State) -> Rule:
    to = frozenset({*more, State.CANCELING, State.CANCELED, State.RECAP})
    return Rule(Phase.RUNNING, to, reason, limit_seconds)


def _ended(reason: str) -> Rule:
    return Rule(Phase.ENDED, START_AGAIN, reason)


STATES: dict[State, Rule] = {
    State.READY: Rule(Phase.IDLE, START_AGAIN, "was never deployed"),
    State.QUEUED: _queued(State.WAITING_RUNNING, "be started"),
    State.DEPLOYMENT_QUEUED: _queued(State.WAITING_RUNNING, "be deployed"),
    State.RESTART_QUEUED: _queued(State.WAITING_RESTARTING, "be restarted"),
    State.STOP_QUEUED: _queued(State.WAITING_STOPPING, "be stopped"),
    State.DELETE_QUEUED: _queued(State.WAITING_DELETING, "be deleted"),
    State.WAITING_RUNNING: _waiting(
        State.BUILDING, State.DEPLOYING, State.EXECUTING, State.BUILD_ERROR, State.DEPLOYMENT_ERROR
    ),
    State.WAITING_RESTARTING: _waiting(State.RESTARTING, State.RESTART_ERROR),
    State.WAITING_STOPPING: _waiting(State.STOPPING, State.STOP_ERROR),
    State.WAITING_DELETING: _waiting(State.DELETING, State.DELETE_ERROR),
    State.UNAVAILABLE: _working(
        "no engine of the cluster reports",
        HOUR,
        *(words.waiting for words in WORDS.values()),
        *(words.working for words in WORDS.values()),
        State.BUILDING,
        State.EXECUTING,
        *ERRORS,
    ),
    State.BUILDING: _working(
        "builds", 2 * HOUR, State.DEPLOYING, State.EXECUTING, State.BUILD_ERROR, State.DEPLOYMENT_ERROR
    ),
    State.DEPLOYING: _working("puts the new version into place", 2 * HOUR, State.EXECUTING, State.DEPLOYMENT_ERROR),
    State.EXECUTING: _working("runs a job", 24 * HOUR, State.DEPLOYING, State.DEPLOYMENT_ERROR),
    State.RESTARTING: _working("restarts", HOUR, State.RESTART_ERROR),
    State.STOPPING: _working("stops", HOUR, State.STOP_ERROR),
    State.DELETING: _working("deletes", HOUR, State.DELETE_ERROR),
    State.CANCELING: Rule(
        Phase.RUNNING,
        frozenset({State.CANCELED, State.RECAP}),
        "waits until the engine acknowledges the cancel",
        10 * MINUTE,
        State.CANCELED,
    ),
    # Passed within the transaction that ends a deployment: the last report is in, what it came to is written down.
    State.RECAP: Rule(Phase.RUNNING, DONE, "writes down what it came to", MINUTE),
    State.DEPLOYED: _ended("deployed"),
    State.RESTARTED: _ended("restarted"),
    State.STOPPED: _ended("stopped"),
    State.DELETED: Rule(Phase.ENDED, frozenset(), "deleted"),
    State.CANCELED: _ended("canceled"),
    State.BUILD_ERROR: _ended("the build failed"),
    State.DEPLOYMENT_ERROR: _ended("the deployment failed"),
    State.RESTART_ERROR: _ended("the restart failed"),
    State.STOP_ERROR: _ended("the stop failed"),
    State.DELETE_ERROR: _ended("the deletion failed"),
}


class StepState(StrEnum):
    PENDING = "PENDING"
    READY = "READY"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class StepRule:
    """One row of the steps' table."""

    to: frozenset[StepState]
    reason: str
    limit: str = ""
    """What ends it at last, in words: the limits depend on the kind of step."""


STEP_STATES: dict[StepState, StepRule] = {
    StepState.PENDING: StepRule(
        frozenset({StepState.READY, StepState.SUCCEEDED, StepState.FAILED, StepState.CANCELED}),
        "waits for steps before it",
        "the limit of its deployment",
    ),
    StepState.READY: StepRule(
        frozenset({StepState.RUNNING, StepState.SUCCEEDED, StepState.FAILED, StepState.CANCELED}),
        "sent to the cluster, waits for an engine",
        "1 hour without an engine that takes it",
    ),
    StepState.RUNNING: StepRule(
        frozenset({StepState.SUCCEEDED, StepState.FAILED, StepState.CANCELED}),
        "an engine works on it",
        f"the task's deadline (by kind), or {MAX_DELIVERIES} engines lost with it",
    ),
    StepState.SUCCEEDED: StepRule(frozenset(), "done"),
    StepState.FAILED: StepRule(frozenset(), "failed"),
    StepState.CANCELED: StepRule(frozenset(), "canceled"),
    StepState.SKIPPED: StepRule(frozenset(), "nothing to do"),
}

STEP_ENDED = frozenset(state for state, rule in STEP_STATES.items() if not rule.to)
STEP_FINE = frozenset({StepState.SUCCEEDED, StepState.SKIPPED})
READY_SECONDS = HOUR

STEP_SECONDS: dict[str, float] = {
    "build": 30 * MINUTE,
    "deploy": 10 * MINUTE,
    "start": 10 * MINUTE,
    "restart": 10 * MINUTE,
    "stop": 10 * MINUTE,
    "delete": 15 * MINUTE,
}
"""How long an engine may work on a step, before the service's own start and stop times are added."""


class IllegalTransition(AssertionError):
    """A bug: the code wanted a transition that the table does not know."""


def check(old: State, new: State) -> State:
    """The new state, when the table allows it after the old one."""
    if new != old and new not in STATES[old].to:
        raise IllegalTransition(f"{old} → {new}")
    return new


def check_step(old: StepState, new: StepState) -> StepState:
    """The new state of a step, when the table allows it after the old one."""
    if new != old and new not in STEP_STATES[old].to:
        raise IllegalTransition(f"step {old} → {new}")
    return new


def states_in(phase: Phase) -> frozenset[State]:
    return frozenset(state for state, rule in STATES.items() if rule.phase is phase)


def _seconds(limit_seconds: float | None) -> str:
    if limit_seconds is None:
        return "none: it rests here"
    return f"{limit_seconds / HOUR:g} h" if limit_seconds >= HOUR else f"{limit_seconds / MINUTE:g} min"


def _rows() -> Iterable[str]:
    for state, rule in STATES.items():
        after = "" if rule.limit_seconds is None else f" → {rule.at_limit or 'error of its action'}"
        yield f"| {state} | {rule.phase} | {rule.reason} | {_seconds(rule.limit_seconds)}{after} |"


def _arrows() -> Iterable[str]:
    for state, rule in STATES.items():
        if rule.phase in (Phase.QUEUED, Phase.RUNNING):
            yield from (f"    {state} --> {new}" for new in sorted(rule.to))


def _step_arrows() -> Iterable[str]:
    for state, rule in STEP_STATES.items():
        yield from (f"    {state} --> {new}" for new in sorted(rule.to))


def _step_rows() -> Iterable[str]:
    for state, rule in STEP_STATES.items():
        yield f"| {state} | {rule.reason} | {rule.limit or 'none: it rests here'} |"


AGAIN = ", ".join(sorted(QUEUES))


def picture() -> str:
    """docs/deployment-states.md, drawn from the tables."""
    lines = [
        "# States of a deployment",
        "",
        "Drawn from `services/core/slipway_core/machine.py`; a test holds them together. Draw it again with",
        "`python -m slipway_core.machine docs/deployment-states.md`. A service and an environment show the state of",
        f"their last deployment; before the first one they are READY. States at rest go on with {AGAIN}.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        *_arrows(),
        "```",
        "",
        "| state | phase | shown while it lasts | limit |",
        "|---|---|---|---|",
        *_rows(),
        "",
        "## States of a step",
        "",
        "```mermaid",
        "stateDiagram-v2",
        *_step_arrows(),
        "```",
        "",
        "| state | shown while it lasts | limit |",
        "|---|---|---|",
        *(
            f"| {state} | {rule.reason} | {rule.limit or 'none: it rests here'} |"
            for state, rule in STEP_STATES.items()
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture())
