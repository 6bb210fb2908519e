"""Which requests wait apart and which become one. Pure.

A request joins the nearest waiting one of the same kind, as long as it overtakes nothing that touches the same
services: the order in which people asked for things about one service is the order in which they happen.
"""

from collections.abc import Sequence

import msgspec

from slipway_core.planner import Request


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A request in the queue, and where it came from."""

    id: str
    request: Request
    trigger: str
    """manual, push, schedule, rollback."""
    principal_id: str
    closed: bool = False
    """Nothing joins it any more: somebody agreed to what it is."""


def joins(queue: Sequence[Waiting], request: Request, trigger: str, principal_id: str) -> Waiting | None:
    """The waiting request that this one becomes part of, or None when it must wait for itself. Oldest first."""
    for waiting in reversed(queue):
        if _alike(waiting, request, trigger, principal_id):
            return waiting
        if _touches(waiting.request, request):
            return None
    return None


def _alike(waiting: Waiting, request: Request, trigger: str, principal_id: str) -> bool:
    """Pushes coalesce whoever pushed; what people ask for joins only with the same person's same action."""
    if waiting.closed or waiting.trigger != trigger or trigger == "rollback":
        return False
    if trigger != "push" and waiting.principal_id != principal_id:
        return False
    return _sort(request) == _sort(waiting.request)


def _sort(request: Request) -> tuple[object, ...]:
    return request.action, request.redeploy, request.delete_environment, request.keep, request.override


def _touches(one: Request, other: Request) -> bool:
    return one.everything or other.everything or not one.wishes.keys().isdisjoint(other.wishes)


def joined(old: Request, new: Request) -> Request:
    """Both in one: what is asked for later wins per service."""
    if new.everything:
        return new
    return msgspec.structs.replace(old, wishes={**old.wishes, **new.wishes})
