"""Everything that can reach the scheduler: every HTTP route, subscription and request, as data."""

from typing import Any

from slipway_bus import Subscription
from slipway_contracts.access import Permission
from slipway_contracts.events import CHANGED
from slipway_contracts.schedules import SCHEDULE_ENDED, SCHEDULE_PREVIEW, SCHEDULE_PUT, SCHEDULE_REMOVE
from slipway_http import Route
from slipway_scheduler.app import Scheduler
from slipway_scheduler.handlers import definitions, rules, schedules

ENVIRONMENT = "/api/scheduler/environment/{environmentId}"

ROUTES: list[Route] = [
    Route(
        "GET",
        "/api/scheduler/preview",
        schedules.preview,
        needs=Permission.SIGNED_IN,
        query=schedules.Preview,
        returns=schedules.PreviewView,
        tag="Schedules",
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/schedule",
        schedules.list_schedules,
        needs=Permission.READ,
        of="environment",
        returns=schedules.SchedulesView,
        tag="Schedules",
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/nextRun",
        schedules.next_runs,
        needs=Permission.READ,
        of="environment",
        query=schedules.Page,
        returns=schedules.RunsView,
        tag="Schedules",
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/firing",
        schedules.list_firings,
        needs=Permission.READ,
        of="environment",
        query=schedules.FiringsPage,
        returns=schedules.FiringsView,
        tag="Schedules",
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/schedule/{{scheduleId}}/pause",
        schedules.pause,
        needs=Permission.DEPLOY,
        of="environment",
        returns=schedules.ScheduleView,
        tag="Schedules",
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/schedule/{{scheduleId}}/resume",
        schedules.resume,
        needs=Permission.DEPLOY,
        of="environment",
        returns=schedules.ScheduleView,
        tag="Schedules",
    ),
]

SUBSCRIPTIONS: list[Subscription[Scheduler, Any]] = [
    Subscription(CHANGED, rules.rule_changed, durable="scheduler-rules", filter_ids={"entity": "deployment_rule"}),
    Subscription(CHANGED, definitions.service_changed, durable="scheduler-services", filter_ids={"entity": "service"}),
    Subscription(
        CHANGED,
        rules.environment_deleted,
        durable="scheduler-environments",
        filter_ids={"entity": "environment", "verb": "deleted"},
    ),
]

REQUESTS = (
    (SCHEDULE_PUT, definitions.put),
    (SCHEDULE_REMOVE, definitions.remove),
    (SCHEDULE_ENDED, definitions.ended),
    (SCHEDULE_PREVIEW, definitions.preview),
)
"""What is answered on the bus; any replica does."""
