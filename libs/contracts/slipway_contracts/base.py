"""The forms in which contracts are declared: messages, topics, streams, buckets."""

import re
import secrets
import time
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What travels over the bus, as JSON. Subclasses repeat `frozen=True, kw_only=True` (mypy wants it)."""


M = TypeVar("M", bound=Message)


class Retention(StrEnum):
    LIMITS = "limits"
    WORK_QUEUE = "workqueue"


@dataclass(frozen=True)
class Stream:
    """A JetStream stream as it must be. Zero means no limit; sizes in bytes, times in seconds."""

    name: str
    subjects: tuple[str, ...]
    description: str
    retention: Retention = Retention.LIMITS
    max_age_seconds: float = 0
    max_bytes: int = 0
    max_messages_per_subject: int = 0
    max_message_bytes: int = 1024 * 1024
    duplicate_window_seconds: float = 120
    max_consumers: int = 100_000
    republish: bool = False
    """Republish every message to `live.<subject>`, where gateways listen with plain subscriptions."""
    fast_ingest: bool = False
    """Take batches of JetStream's fast ingest (nats-server 2.14)."""


@dataclass(frozen=True)
class Bucket(Generic[M]):
    """A key-value bucket: its keys and the one message type of its values."""

    name: str
    message: type[M]
    owner: str
    description: str
    max_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True)
class Topic(Generic[M]):
    """A subject pattern, what travels on it, who alone publishes it, and the stream that keeps it (None: live only)."""

    pattern: str
    message: type[M]
    owner: str
    stream: Stream | None

    def subject(self, **ids: str) -> str:
        """The subject for these ids. An id that could widen a subject (dots, wildcards, spaces) is refused."""
        for name, value in ids.items():
            if not TOKEN.fullmatch(value):
                raise ValueError(f"{name}={value!r} can't stand in a subject")
        return self.pattern.format(**ids)

    def filter(self, **ids: str) -> str:
        """The subject to subscribe to: ids that are left out match anything."""
        return re.sub(r"\{(\w+)\}", lambda found: self._token(found[1], ids), self.pattern)

    def parse(self, subject: str) -> dict[str, str]:
        """The ids in a subject of this topic; the `live.` prefix of republished messages is allowed."""
        names = self.pattern.split(".")
        tokens = subject.removeprefix("live.").split(".")
        if len(names) != len(tokens):
            raise ValueError(f"{subject!r} is not of {self.pattern!r}")
        return {name[1:-1]: token for name, token in zip(names, tokens, strict=True) if name.startswith("{")}

    @staticmethod
    def _token(name: str, ids: dict[str, str]) -> str:
        value = ids.get(name, "*")
        if value != "*" and not TOKEN.fullmatch(value):
            raise ValueError(f"{name}={value!r} can't stand in a subject")
        return value


def uuid7() -> str:
    """A new id: UUID version 7 (RFC 9562 §5.7), ordered by time to the millisecond, random after that."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (2 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=value))
