"""Every stream, once. How long each keeps what, and why; replicas and fsync come from the deployment's settings."""

from slipway_contracts.base import Retention, Stream

HOUR = 3600.0
DAY = 24 * HOUR
MIB = 1024 * 1024

GIT = Stream(
    "GIT",
    ("git.*.*",),
    "What Git providers told: normalised pushes, tags, pull requests, comments",
    max_age_seconds=7 * DAY,
    max_bytes=2048 * MIB,
    fast_ingest=True,
)
TASKS = Stream(
    "TASKS",
    ("tasks.*",),
    "Work for engines; one durable pull consumer per cluster, made by core, which alone ends tasks",
    retention=Retention.WORK_QUEUE,
    max_message_bytes=8 * MIB,
)
CONTROL = Stream(
    "CONTROL",
    ("control.*.*",),
    "The last order about each task (cancel, forced cancel); a reconnecting engine reads it back",
    max_age_seconds=DAY,
    max_messages_per_subject=1,
)
REPORTS = Stream(
    "REPORTS",
    ("reports.*",),
    "What engines say of their tasks, and their hellos",
    max_age_seconds=7 * DAY,
    max_bytes=2048 * MIB,
    max_message_bytes=2 * MIB,
)
EVENTS = Stream(
    "EVENTS",
    ("events.*.*.*",),
    "Every change of the control plane, from core's outbox",
    max_age_seconds=30 * DAY,
    max_bytes=4096 * MIB,
    republish=True,
)
STATES = Stream(
    "STATES",
    ("states.*.*.*",),
    "Running state: one message per service, the stream is the snapshot",
    max_messages_per_subject=1,
    republish=True,
)
LOGS = Stream(
    "LOGS",
    ("logs.*.*.*.*",),
    "Log lines in batches; the limit per subject keeps one noisy service from evicting the others",
    max_age_seconds=7 * DAY,
    max_bytes=8192 * MIB,
    max_messages_per_subject=20_000,
    max_message_bytes=2 * MIB,
    republish=True,
)
METRICS = Stream(
    "METRICS",
    ("metrics.*.*.*",),
    "CPU, memory and more of each service, every ten seconds",
    max_age_seconds=48 * HOUR,
    max_bytes=2048 * MIB,
    max_messages_per_subject=17_280,
    republish=True,
)
SCHEDULES = Stream(
    "SCHEDULES",
    ("schedules.fired.*",),
    "What is due: schedule and nominal time",
    max_age_seconds=7 * DAY,
    max_bytes=512 * MIB,
)
SESSIONS = Stream(
    "SESSIONS",
    ("sessions.*.*",),
    "Remote shells opened and ended, for the audit log",
    max_age_seconds=30 * DAY,
    max_bytes=512 * MIB,
)
DEAD = Stream(
    "DEAD",
    ("dead.*.*",),
    "What was given up after a bounded number of attempts, with the reason; listable and replayable",
    max_age_seconds=30 * DAY,
    max_bytes=1024 * MIB,
    max_message_bytes=8 * MIB,
)

STREAMS = (GIT, TASKS, CONTROL, REPORTS, EVENTS, STATES, LOGS, METRICS, SCHEDULES, SESSIONS, DEAD)
