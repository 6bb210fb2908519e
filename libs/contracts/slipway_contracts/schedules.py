"""What is due at a time: told by the scheduler, and asked of it.

core → scheduler  `schedules.put` (request)      PutSchedule → ScheduleAnswer
core → scheduler  `schedules.remove` (request)   RemoveSchedule → ScheduleAnswer
core → scheduler  `schedules.ended` (request)    RunEnded → ScheduleAnswer
edges → scheduler `schedules.preview` (request)  PreviewSchedule → SchedulePreview
scheduler → core  `schedules.fired.{kind}`       Fired
"""

from datetime import datetime

from slipway_contracts.base import Message, Topic
from slipway_contracts.streams import SCHEDULES


class Fired(Message, frozen=True, kw_only=True):
    """A schedule is due. (schedule id, nominal time) is unique: the row that makes it take effect once."""

    schedule_id: str
    kind: str
    """environment-start, environment-stop, cron-job, environment-expire, preview-warn, preview-stop, preview-delete,
    approval-expire, and others that a PutSchedule names."""
    organization_id: str
    environment_id: str = ""
    service_id: str = ""
    nominal_at: datetime
    fired_at: datetime
    reason: str = ""
    late: bool = False
    """Fired more than a minute after it was due, after an outage."""
    cancel_running: bool = False
    """The overlap policy is `cancel`: end the run before this one, if it still runs."""
    body: dict[str, str] = {}
    """As it was put."""


class PutSchedule(Message, frozen=True, kw_only=True):
    """Keep this schedule, in place of what was known under its id. Exactly one of `expression` and `at`."""

    id: str
    kind: str
    """What is told when it is due; letters, digits, dashes."""
    organization_id: str
    environment_id: str = ""
    service_id: str = ""
    version: int = 1
    """An older version than the known one changes nothing; after a removal only a newer one is taken."""
    expression: str = ""
    """A cron expression: due again and again."""
    at: datetime | None = None
    """A moment: due once."""
    timezone: str = "UTC"
    skipped: str = "run"
    """A local time that a clock change leaves out: run (at the first moment after it), skip."""
    doubled: str = "first"
    """A local time that comes twice: first, both."""
    catch_up: str = "once"
    """After an outage: once (the newest of what was missed), all (each, oldest first), skip."""
    overlap: str = "allow"
    """While the run before goes on: allow, skip, buffer (one waits until it ended), cancel."""
    longest_run_seconds: int = 3600
    """A run that nobody said the end of counts as ended after this time."""
    jitter_seconds: int = 0
    """Fired up to this much later, always by the same amount, so that not all fall on the same second."""
    paused: bool = False
    reason: str = ""
    """In one sentence, for people: it stands in the history of what fired."""
    body: dict[str, str] = {}
    """Handed on in Fired. No secrets."""


class RemoveSchedule(Message, frozen=True, kw_only=True):
    """Nothing is due any more under this id."""

    id: str
    version: int = 1


class RunEnded(Message, frozen=True, kw_only=True):
    """What was fired has run to its end: the overlap policy needs to know."""

    schedule_id: str
    nominal_at: datetime


class ScheduleAnswer(Message, frozen=True, kw_only=True):
    """Whether it was taken, and else why not."""

    ok: bool = True
    code: str = ""
    message: str = ""
    position: int = -1
    """Of what is wrong with the expression, in characters from 0."""
    next_at: datetime | None = None


class PreviewSchedule(Message, frozen=True, kw_only=True):
    """When would this be due next?"""

    expression: str
    timezone: str = "UTC"
    skipped: str = "run"
    doubled: str = "first"
    after: datetime | None = None
    """From this moment on; else from now."""
    count: int = 10


class SchedulePreview(Message, frozen=True, kw_only=True):
    """The next times at which it would be due, or what is wrong with it."""

    ok: bool = True
    code: str = ""
    message: str = ""
    position: int = -1
    runs: list[datetime] = []


FIRED = Topic("schedules.fired.{kind}", Fired, owner="scheduler", stream=SCHEDULES)
SCHEDULE_PUT = Topic("schedules.put", PutSchedule, owner="edges", stream=None)
SCHEDULE_REMOVE = Topic("schedules.remove", RemoveSchedule, owner="edges", stream=None)
SCHEDULE_ENDED = Topic("schedules.ended", RunEnded, owner="edges", stream=None)
SCHEDULE_PREVIEW = Topic("schedules.preview", PreviewSchedule, owner="edges", stream=None)
