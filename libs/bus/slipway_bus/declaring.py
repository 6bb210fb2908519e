"""Streams, buckets and consumers as the contracts want them, made or brought up to date. Safe to run at any time."""

from typing import TYPE_CHECKING, Any

from slipway_bus.wire import Payload
from slipway_contracts.access import ACCESS
from slipway_contracts.base import Bucket, Stream
from slipway_contracts.git import GIT_LINKS
from slipway_contracts.streams import STREAMS, TASKS
from slipway_contracts.tasks import LEASE_SECONDS, TASK
from slipway_errors import NotFound

if TYPE_CHECKING:
    from slipway_bus.connection import Bus

BUCKETS: tuple[Bucket[Any], ...] = (ACCESS, GIT_LINKS)

_NANOSECONDS = 1_000_000_000
MAX_ACK_PENDING = 10_000


async def declare(bus: "Bus", replicas: int = 1) -> None:
    """Make every stream and bucket, or change those that differ; what they keep is kept."""
    for stream in STREAMS:
        await _declare_stream(bus, stream_config(stream, replicas))
    for bucket in BUCKETS:
        await _declare_stream(bus, bucket_config(bucket, replicas))


def stream_config(stream: Stream, replicas: int) -> Payload:
    """The server's words for a declared stream."""
    config: Payload = {
        "name": stream.name,
        "description": stream.description,
        "subjects": list(stream.subjects),
        "retention": stream.retention.value,
        "storage": "file",
        "discard": "old",
        "max_age": int(stream.max_age_seconds * _NANOSECONDS),
        "max_bytes": stream.max_bytes or -1,
        "max_msgs": -1,
        "max_msgs_per_subject": stream.max_messages_per_subject or -1,
        "max_msg_size": stream.max_message_bytes,
        "max_consumers": stream.max_consumers,
        "duplicate_window": int(stream.duplicate_window_seconds * _NANOSECONDS),
        "num_replicas": replicas,
        "allow_direct": True,
    }
    if stream.fast_ingest:
        config["allow_batched"] = True
    if stream.republish:
        config["republish"] = {"src": ">", "dest": "live.>"}
    return config


def bucket_config(bucket: Bucket[Any], replicas: int) -> Payload:
    """The server's words for a declared bucket: one value per key, and a full bucket says so."""
    return {
        "name": f"KV_{bucket.name}",
        "description": bucket.description,
        "subjects": [f"$KV.{bucket.name}.>"],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_bytes": bucket.max_bytes,
        "max_msgs": -1,
        "max_msgs_per_subject": 1,
        "max_msg_size": 1024 * 1024,
        "duplicate_window": 120 * _NANOSECONDS,
        "num_replicas": replicas,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
    }


async def _declare_stream(bus: "Bus", config: Payload) -> None:
    try:
        present = (await bus.api(f"STREAM.INFO.{config['name']}"))["config"]
    except NotFound:
        await bus.api(f"STREAM.CREATE.{config['name']}", config)
        return
    if any(present.get(key) != value for key, value in config.items()):
        await bus.api(f"STREAM.UPDATE.{config['name']}", {**present, **config})


async def declare_consumer(bus: "Bus", stream: str, durable: str, filter_subject: str, ack_wait_seconds: float) -> None:
    """Make a durable pull consumer, or bring it up to date. It never gives up by itself: we count attempts."""
    config = {
        "durable_name": durable,
        "name": durable,
        "filter_subject": filter_subject,
        "ack_policy": "explicit",
        "ack_wait": int(ack_wait_seconds * _NANOSECONDS),
        "deliver_policy": "all",
        "max_deliver": -1,
        "max_ack_pending": MAX_ACK_PENDING,
        "max_waiting": 512,
    }
    await bus.api(
        f"CONSUMER.CREATE.{stream}.{durable}.{filter_subject}", {"stream_name": stream, "config": config, "action": ""}
    )


async def create_task_consumer(bus: "Bus", cluster_id: str) -> None:
    """Make the consumer from which a cluster's engines pull their tasks; its name is the cluster's id."""
    await declare_consumer(bus, TASKS.name, cluster_id, TASK.subject(cluster_id=cluster_id), LEASE_SECONDS)


async def delete_task_consumer(bus: "Bus", cluster_id: str) -> None:
    """Remove the consumer of a cluster that is gone."""
    try:
        await bus.api(f"CONSUMER.DELETE.{TASKS.name}.{cluster_id}")
    except NotFound:
        return
