"""Ports for workloads on 127.0.0.1: outside the range from which the kernel takes ports of its own accord."""

import random
import socket

from slipway_engine.problems import StartFailed
from slipway_engine.settings import Settings
from slipway_workloads import DatabaseRecord, Layout, Release
from slipway_workloads.records import read

OCCUPYING = frozenset(("starting", "running", "draining"))


class Ports:
    """Gives out free ports. One that a release or a database holds is not given again, also while it is down."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout = layout
        self._range = range(settings.first_port, settings.last_port + 1)
        self._given: set[int] = set()

    def take(self) -> int:
        """A free port; it stays taken until `free`, and after that while a release on disk has it."""
        taken = self._given | self._held()
        first = random.randrange(len(self._range))  # noqa: S311 not a secret
        for step in range(len(self._range)):
            port = self._range[(first + step) % len(self._range)]
            if port not in taken and is_free(port):
                self._given.add(port)
                return port
        raise StartFailed("No port is free on this machine for another process.", code="start.no_port")

    def free(self, port: int) -> None:
        self._given.discard(port)

    def _held(self) -> set[int]:
        held: set[int] = set()
        for service in self._layout.services():
            database = read(service.database, DatabaseRecord)
            if database is not None:
                held.add(database.port)
            for name in service.release_names():
                release = read(service.release(name).about, Release)
                if release is not None and release.state in OCCUPYING:
                    held.add(release.port)
        return held


def is_free(port: int) -> bool:
    """Whether a program could listen there now."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
