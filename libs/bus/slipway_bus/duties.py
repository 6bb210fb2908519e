"""What each service does on the bus, and the permissions that follow: the topics it owns, and what stands here.

A service may publish what its contracts name it the owner of, read what is listed for it below, and listen at its own
inbox. Whatever isn't here is refused by the server: a new reader is one line in SERVICES.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import Any

import slipway_contracts
from slipway_bus.declaring import BUCKETS
from slipway_contracts.access import ACCESS
from slipway_contracts.base import Bucket, Stream, Topic
from slipway_contracts.dead import DIED
from slipway_contracts.git import GIT_LINKS
from slipway_contracts.places import LOCATE
from slipway_contracts.schedules import SCHEDULE_ENDED, SCHEDULE_PREVIEW, SCHEDULE_PUT, SCHEDULE_REMOVE
from slipway_contracts.shell import SHELL_OUTPUT
from slipway_contracts.streams import CONTROL, DEAD, EVENTS, GIT, LOGS, METRICS, REPORTS, SCHEDULES, SESSIONS, STATES
from slipway_contracts.tasks import ORDERED, REPORTED, TASK

Permissions = dict[str, Any]


@dataclass(frozen=True)
class Duties:
    """What a service does on the bus besides publishing the topics that it owns."""

    consumes: tuple[Stream, ...] = ()
    """Streams it has durable consumers on."""
    reads: tuple[Stream, ...] = ()
    """Streams it reads history from, by direct get."""
    follows: tuple[Bucket[Any], ...] = ()
    """Buckets it keeps a copy of."""
    serves: tuple[Topic[Any], ...] = ()
    """Requests it answers."""
    listens: tuple[str, ...] = ()
    """Subjects it hears live."""
    asks: tuple[Topic[Any], ...] = ()
    """Requests it makes on topics that several services share."""
    administers: bool = False
    """Declares streams, buckets and consumers."""


SERVICES: dict[str, Duties] = {
    "core": Duties(
        consumes=(GIT, REPORTS, EVENTS, SCHEDULES, SESSIONS),
        reads=(GIT, REPORTS, EVENTS, STATES, LOGS, METRICS, SCHEDULES, SESSIONS, DEAD, CONTROL),
        follows=(ACCESS, GIT_LINKS),
        serves=(LOCATE,),
        listens=("live.>",),
        asks=(LOCATE, SCHEDULE_PUT, SCHEDULE_REMOVE, SCHEDULE_ENDED, SCHEDULE_PREVIEW),
        administers=True,
    ),
    "webhooks": Duties(reads=(GIT,), follows=(ACCESS, GIT_LINKS), asks=(LOCATE,)),
    "websocket": Duties(reads=(EVENTS, STATES, LOGS, METRICS), follows=(ACCESS,), asks=(LOCATE,), listens=("live.>",)),
    "scheduler": Duties(
        consumes=(EVENTS,),
        reads=(EVENTS,),
        follows=(ACCESS,),
        serves=(SCHEDULE_PUT, SCHEDULE_REMOVE, SCHEDULE_ENDED, SCHEDULE_PREVIEW),
        asks=(LOCATE,),
    ),
    "shell": Duties(
        follows=(ACCESS,), asks=(LOCATE,), listens=(SHELL_OUTPUT.filter(), "live.states.>"), reads=(STATES,)
    ),
    "git": Duties(
        follows=(ACCESS, GIT_LINKS),
        asks=(LOCATE,),
        reads=(EVENTS,),
        listens=("live.events.>", "live.logs.*.*.*.build", "live.logs.*.*.*.deploy"),
    ),
}


@cache
def all_topics() -> tuple[Topic[Any], ...]:
    """Every topic that the contracts declare."""
    found: dict[str, Topic[Any]] = {}
    for module in pkgutil.iter_modules(slipway_contracts.__path__, "slipway_contracts."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Topic):
                found[value.pattern] = value
    return tuple(found.values())


def owned(owner: str) -> list[str]:
    """The subjects of the topics that this service alone publishes."""
    return [topic.filter() for topic in all_topics() if topic.owner == owner]


def service_permissions(service: str) -> Permissions:
    """The permissions of a service of the control plane, as nats-server's configuration wants them."""
    duties = SERVICES[service]
    publish = owned(service) + [topic.filter() for topic in duties.asks]
    subscribe = [f"_INBOX.{service}.>", *(topic.filter() for topic in duties.serves), *duties.listens]
    for stream in duties.consumes:
        publish += _consuming(stream)
    for stream in duties.reads:
        publish += _reading(stream.name)
    for bucket in duties.follows:
        name = f"KV_{bucket.name}"
        publish += _reading(name)
        subscribe.append(f"$KV.{bucket.name}.>")
    publish += [f"$KV.{bucket.name}.>" for bucket in BUCKETS if bucket.owner == service]
    if duties.administers:
        publish += ["$JS.API.INFO", "$JS.API.STREAM.>", "$JS.API.CONSUMER.>", "dead.>"]
    return _permissions(publish, subscribe, answers=bool(duties.serves))


def engine_permissions(cluster_id: str, user: str) -> Permissions:
    """What a cluster's engine may do, inside the cluster's own account."""
    id = cluster_id
    publish = [
        f"$JS.API.CONSUMER.MSG.NEXT.TASKS.{id}",
        f"$JS.ACK.TASKS.{id}.>",
        f"$JS.API.DIRECT.GET.CONTROL.{ORDERED.filter(cluster_id=id)}",
        REPORTED.subject(cluster_id=id),
        f"logs.{id}.*.*.build",
        f"logs.{id}.*.*.deploy",
    ]
    return _permissions(publish, [f"_INBOX.{user}.>", ORDERED.filter(cluster_id=id)])


def agent_permissions(cluster_id: str, user: str) -> Permissions:
    """What a cluster's agent may do, inside the cluster's own account."""
    id = cluster_id
    publish = [
        REPORTED.subject(cluster_id=id),
        f"logs.{id}.*.*.run",
        f"metrics.{id}.*.*",
        f"states.{id}.*.*",
        SHELL_OUTPUT.filter(cluster_id=id),
    ]
    return _permissions(publish, [f"_INBOX.{user}.>", f"shell.{id}.>"], answers=True)


def cluster_exports(cluster_id: str) -> tuple[list[Permissions], list[Permissions]]:
    """What the control account gives a cluster: services (with their answers) and streams."""
    id = cluster_id
    services: list[Permissions] = [
        {"service": f"$JS.API.CONSUMER.MSG.NEXT.{TASK_STREAM}.{id}", "response_type": "stream"},
        {"service": f"$JS.ACK.{TASK_STREAM}.{id}.>"},
        {"service": f"$JS.API.DIRECT.GET.{CONTROL.name}.{ORDERED.filter(cluster_id=id)}"},
        {"service": REPORTED.subject(cluster_id=id)},
        {"service": f"logs.{id}.>"},
        {"service": f"metrics.{id}.>"},
        {"service": f"states.{id}.>"},
    ]
    return services, [{"stream": ORDERED.filter(cluster_id=id)}]


assert TASK.stream is not None
TASK_STREAM = TASK.stream.name


def _consuming(stream: Stream) -> list[str]:
    return [
        f"$JS.API.CONSUMER.CREATE.{stream.name}.>",
        f"$JS.API.CONSUMER.INFO.{stream.name}.>",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream.name}.>",
        f"$JS.ACK.{stream.name}.>",
        DIED.filter(stream=stream.name),
    ]


def _reading(stream: str) -> list[str]:
    return [f"$JS.API.DIRECT.GET.{stream}", f"$JS.API.DIRECT.GET.{stream}.>", f"$JS.API.STREAM.INFO.{stream}"]


def _permissions(publish: list[str], subscribe: list[str], answers: bool = False) -> Permissions:
    permissions: Permissions = {
        "publish": {"allow": sorted(set(publish))},
        "subscribe": {"allow": sorted(set(subscribe))},
    }
    if answers:
        permissions["allow_responses"] = {"max": 1, "expires": "60s"}
    return permissions
