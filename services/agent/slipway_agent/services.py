"""What the agent needs to know of a service, from the records that the engine left in its directory."""

import os
from dataclasses import dataclass
from typing import TypedDict

from slipway_agent.logs.files import Stamp, stamp
from slipway_workloads import Layout, Release, ReleaseDirectory, ServiceDirectory, ServiceMeta
from slipway_workloads.layout import NAME
from slipway_workloads.records import read


class Ids(TypedDict):
    """The ids in the subjects of a service."""

    cluster_id: str
    environment_id: str
    service_id: str


@dataclass(frozen=True)
class Known:
    """A service and where it belongs: the ids of its subjects."""

    directory: ServiceDirectory
    meta: ServiceMeta

    @property
    def ids(self) -> Ids:
        meta = self.meta
        return Ids(cluster_id=meta.cluster_id, environment_id=meta.environment_id, service_id=meta.service_id)

    def release(self, name: str) -> Release | None:
        return read(self.directory.release(name).about, Release)

    def process_name(self, release: str) -> str:
        """How a process of this service is shown: what Kubernetes would call a pod."""
        return f"{self.meta.label}-{release}"


def known(directory: ServiceDirectory, cluster_id: str) -> Known | None:
    """The service in this directory, if its record is there and says that it is ours."""
    meta = read(directory.meta, ServiceMeta)
    if meta is None or meta.service_id != directory.id or meta.cluster_id != cluster_id:
        return None
    return Known(directory, meta)


class Services:
    """Every service of this cluster on this machine; records are read again only when they changed."""

    def __init__(self, layout: Layout, cluster_id: str) -> None:
        self._layout = layout
        self._cluster_id = cluster_id
        self._read: dict[str, tuple[Stamp | None, Known | None]] = {}

    def all(self) -> list[Known]:
        """As they are now."""
        before, self._read = self._read, {}
        for name in self._names():
            meta = f"{self._layout.services_dir}/{name}/meta.json"
            stamped = stamp(meta)
            remembered = before.get(name)
            if remembered is None or remembered[0] != stamped:
                remembered = (stamped, known(self._layout.service(name), self._cluster_id) if stamped else None)
            self._read[name] = remembered
        return [service for _, service in self._read.values() if service is not None]

    def _names(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._layout.services_dir) if NAME.fullmatch(name))
        except OSError:
            return []


def log_directories(service: ServiceDirectory) -> list[ReleaseDirectory]:
    """The releases of which there are logs, oldest first; the release itself may be gone."""
    try:
        names = sorted(path.name for path in (service.root / "logs").iterdir())
    except OSError:
        return []
    found = []
    for name in names:
        try:
            found.append(service.release(name))
        except ValueError:
            continue
    return found
