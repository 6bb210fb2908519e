"""Names and keys of what the local driver keeps: artifacts, layers, releases."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from slipway_engine.plan import Start
from slipway_engine.plan.model import StartKind
from slipway_workloads import Layout
from slipway_workloads.layout import checked
from slipway_workloads.records import Record, read, write

VERSION = 1
"""Of what artifacts and layers look like: raise it when they change, and old ones are built anew."""


class Mounted(Record, frozen=True, kw_only=True):
    """A directory below the layers or the artifact that the program sees."""

    host: str
    inside: str


class Artifact(Record, frozen=True, kw_only=True):
    """artifact.json: a built application, ready to be started any number of times."""

    key: str
    language: str
    commit: str
    start_kind: str
    start_command: list[str]
    environment: dict[str, str] = {}
    path: list[str] = []
    """Folders for PATH, as seen inside."""
    mounts: list[Mounted] = []
    made_at: datetime

    @property
    def start(self) -> Start:
        return Start(kind=StartKind(self.start_kind), command=tuple(self.start_command))


def content_key(*facts: Any) -> str:
    """The same facts, the same key."""
    text = json.dumps([VERSION, *facts], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def artifact_directory(layout: Layout, key: str) -> Path:
    return layout.artifacts_dir / checked(key)


def read_artifact(layout: Layout, key: str) -> Artifact | None:
    """The artifact when it is complete; None otherwise, also for a key that is none."""
    try:
        return read(artifact_directory(layout, key) / "artifact.json", Artifact)
    except ValueError:
        return None


def write_artifact(directory: Path, artifact: Artifact) -> None:
    write(directory / "artifact.json", artifact)


def release_name(fence: int, delivery: int) -> str:
    """Sorts by time: a newer task of a service has a higher fence."""
    return f"{fence:010d}-{delivery:04d}"
