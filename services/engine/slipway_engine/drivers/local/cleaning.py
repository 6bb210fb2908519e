"""Removes what nothing needs any more: artifacts of no release, layers of no artifact, rooms of dead builds.

Invariant: what a kept release or a running build may need is never removed: only what is unused for a while.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import structlog

from slipway_engine.drivers.local.layers import MARK
from slipway_engine.drivers.local.paths import Artifact
from slipway_engine.trees import remove_tree
from slipway_workloads import Layout, Release, ServiceMeta
from slipway_workloads.records import read

CLEAN_SECONDS = 900.0
ARTIFACT_SECONDS = 86400.0
LAYER_SECONDS = 7 * 86400.0
ROOM_SECONDS = 6 * 3600.0
MIRROR_PACKS = 60
"""A bare copy with more packs than this is fetched anew: smaller and faster than it."""

log = structlog.get_logger()


class Cleaning:
    """Of one work directory."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    async def attend(self, stopping: asyncio.Event) -> None:
        """Clean up now and then until `stopping`."""
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLEAN_SECONDS):
                    await stopping.wait()
                    return
            try:
                await asyncio.to_thread(self.clean, time.time())
            except OSError as error:
                log.warning("cleaning failed", reason=str(error))

    def clean(self, now: float) -> None:
        """Remove what has been unused for long."""
        used = {release.artifact for release in self._releases()} | set(self._of_jobs())
        kept: list[Artifact] = []
        for folder in _folders(self._layout.artifacts_dir):
            artifact = read(folder / "artifact.json", Artifact)
            if artifact is not None and (folder.name in used or _age(folder, now) < ARTIFACT_SECONDS):
                kept.append(artifact)
            elif _age(folder, now) > ARTIFACT_SECONDS:
                remove_tree(folder)
        mounted = {mount.host for artifact in kept for mount in artifact.mounts}
        for organization in _folders(self._layout.layers_dir):
            for layer in _folders(organization):
                if not any(host.startswith(str(layer)) for host in mounted) and _age(layer / MARK, now) > LAYER_SECONDS:
                    remove_tree(layer)
        for room in _folders(self._layout.builds_dir):
            if _age(room, now) > ROOM_SECONDS:
                remove_tree(room)
        for mirror in _folders(self._layout.mirrors_dir):
            if len(list((mirror / "objects" / "pack").glob("*.pack"))) > MIRROR_PACKS:
                remove_tree(mirror)

    def _of_jobs(self) -> Iterator[str]:
        for service in self._layout.services():
            meta = read(service.meta, ServiceMeta)
            if meta is not None:
                yield meta.artifact

    def _releases(self) -> Iterator[Release]:
        for service in self._layout.services():
            for name in service.release_names():
                release = read(service.release(name).about, Release)
                if release is not None:
                    yield release


def _folders(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except OSError:
        return now
