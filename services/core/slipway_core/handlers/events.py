"""The audit log, as the reference's event query shows it: newest first, by cursor."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from slipway_core.api import answers
from slipway_core.app import Core
from slipway_core.problems import wrong
from slipway_core.stores.audit import AuditEvent, Filter
from slipway_http import Call
from slipway_http.routing import UUID

PAGE, LARGEST_PAGE = 10, 100
KEPT_NAMES = (
    "fromTimestamp",
    "toTimestamp",
    "eventType",
    "targetType",
    "targetId",
    "subTargetType",
    "triggeredBy",
    "origin",
    "serviceProjectId",
    "serviceEnvironmentId",
    "pageSize",
)
"""Parts of the query that the links to the next and the previous page carry on."""


async def query(app: Core, call: Call[None]) -> answers.OrganizationEventResponseList:
    """What was changed in an organization: who, from where, before and after."""
    asked = msgspec.to_builtins(call.query)
    size = max(1, min(int(asked.get("pageSize", PAGE)), LARGEST_PAGE))
    older, newer = _cursor(asked, "continueToken"), _cursor(asked, "stepBackToken")
    filter = _filter(call.place.organization_id, asked)
    async with app.reading() as work:
        events = await work.audit.all(filter, size + 1, older, newer)
    more = len(events) > size
    events = (events[1:] if newer else events[:size]) if more else events
    links: dict[str, str] = {}
    path = f"{app.settings.public_url.rstrip('/')}/api/organization/{call.place.organization_id}/events"
    if events and (more or newer):
        links["next"] = _link(path, asked, "continueToken", events[-1].id)
    if events and (older or (newer and more)):
        links["previous"] = _link(path, asked, "stepBackToken", events[0].id)
    shown = {"links": links, "organization_max_limit_reached": False, "events": [_shown(one) for one in events]}
    return msgspec.convert(shown, answers.OrganizationEventResponseList)


def _cursor(asked: dict[str, Any], name: str) -> str | None:
    token = asked.get(name)
    if token and not UUID.fullmatch(token):
        raise wrong((f"$.{name}", "is no token of such a list"))
    return token or None


def _link(path: str, asked: dict[str, Any], name: str, token: str) -> str:
    kept = {key: int(asked[key]) if key == "pageSize" else asked[key] for key in KEPT_NAMES if key in asked}
    return f"{path}?{urlencode(kept | {name: token})}"


async def targets(app: Core, call: Call[None]) -> answers.OrganizationEventTargetResponseList:
    """What the events are about."""
    asked = msgspec.to_builtins(call.query)
    renamed = {"projectId": "serviceProjectId", "environmentId": "serviceEnvironmentId"}
    asked = {renamed.get(name, name): value for name, value in asked.items()}
    level = asked.get("targetLevelToFetch")
    if level in ("PROJECT", "ENVIRONMENT"):
        asked["targetType"] = level
    async with app.reading() as work:
        found = await work.audit.targets(_filter(call.place.organization_id, asked))
    shown = {"targets": [{"id": one.id, "name": one.name} for one in found]}
    return msgspec.convert(shown, answers.OrganizationEventTargetResponseList)


def _filter(organization_id: str, asked: dict[str, Any]) -> Filter:
    return Filter(
        organization_id=organization_id,
        since=_moment(asked, "fromTimestamp"),
        until=_moment(asked, "toTimestamp"),
        event_type=asked.get("eventType"),
        target_type=asked.get("targetType"),
        target_id=asked.get("targetId"),
        sub_target_type=asked.get("subTargetType"),
        triggered_by=asked.get("triggeredBy"),
        origin=asked.get("origin"),
        project_id=_id(asked, "serviceProjectId"),
        environment_id=_id(asked, "serviceEnvironmentId"),
    )


def _moment(asked: dict[str, Any], name: str) -> datetime | None:
    """A time in the query: seconds, milliseconds or nanoseconds since 1970, or a date."""
    text = asked.get(name)
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{1,19}", text):
            number = int(text)
            seconds = number / (10**9 if number >= 10**16 else 10**3 if number >= 10**11 else 1)
            return datetime.fromtimestamp(seconds, UTC)
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        raise wrong((f"$.{name}", "is no moment")) from None


def _id(asked: dict[str, Any], name: str) -> str | None:
    text = asked.get(name)
    if text and not UUID.fullmatch(text):
        raise wrong((f"$.{name}", "is no id"))
    return text.lower() if text else None


def _shown(event: AuditEvent) -> dict[str, Any]:
    shown = {
        "id": event.id,
        "timestamp": event.at,
        "event_type": event.event_type,
        "target_id": event.target_id,
        "target_name": event.target_name,
        "target_type": event.target_type,
        "change": _json(event.after if event.after is not None else event.before),
        "original_change": _json(event.before),
        "origin": event.origin,
        "triggered_by": event.actor,
        "project_id": event.project_id,
        "environment_id": event.environment_id,
        "user_agent": event.user_agent or None,
    }
    optional = {
        "sub_target_type": event.sub_target_type,
        "project_name": event.project_name,
        "environment_name": event.environment_name,
    }
    return shown | {name: value for name, value in optional.items() if value is not None}


def _json(value: dict[str, Any] | None) -> str:
    return msgspec.json.encode(value or {}).decode()
