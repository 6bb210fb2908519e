"""Every path below the work directory of a machine's engine and agent, named in this one place.

Invariant: a path is made from ids that were checked; no name that a user chose ever becomes part of one.
"""

import re
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def checked(name: str) -> str:
    """The id itself, when it can stand as one path component."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't stand in a path")
    return name


@dataclass(frozen=True)
class ReleaseDirectory:
    """One version of a service on this machine; its logs and status lie beside it, so that they can outlive it."""

    service: "ServiceDirectory"
    name: str

    @property
    def root(self) -> Path:
        return self.service.releases / self.name

    @property
    def source(self) -> Path:
        """The program's own directory, writable to it: /app inside the sandbox."""
        return self.root / "source"

    @property
    def launch(self) -> Path:
        """How it is started, with its environment: 0600 (`records.Launch`)."""
        return self.root / "launch.json"

    @property
    def about(self) -> Path:
        """Commit, deployment, time, state (`records.Release`)."""
        return self.root / "release.json"

    @property
    def logs(self) -> Path:
        return self.service.root / "logs" / self.name

    @property
    def current_log(self) -> Path:
        return self.logs / "current.log"

    @property
    def status(self) -> Path:
        """Written by the shim (`records.Status`)."""
        return self.service.root / "status" / f"{self.name}.json"

    @property
    def program(self) -> str:
        """Its name in the workloads' supervisor."""
        return f"{self.service.id}.{self.name}"


@dataclass(frozen=True)
class ServiceDirectory:
    """All that a machine knows of one service."""

    layout: "Layout"
    id: str

    @property
    def root(self) -> Path:
        return self.layout.services_dir / self.id

    @property
    def meta(self) -> Path:
        return self.root / "meta.json"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def upstream(self) -> Path:
        """`127.0.0.1:PORT`, read by Caddy for every request, replaced by rename."""
        return self.root / "upstream"

    @property
    def fence(self) -> Path:
        """The lock file that holds the highest (fence, delivery) seen."""
        return self.layout.fences_dir / self.id

    @property
    def run_fence(self) -> Path:
        """The same for runs of a job, which go on while it is deployed."""
        return self.layout.fences_dir / f"{self.id}.runs"

    @property
    def database(self) -> Path:
        """Which database this is, and its port, for as long as it is there (`records.DatabaseRecord`)."""
        return self.root / "database.json"

    @property
    def volume(self) -> Path:
        """What outlives every release, and goes when the service is deleted."""
        return self.layout.volumes_dir / self.id

    @property
    def route(self) -> Path:
        return self.layout.routes_dir / f"{self.id}.json"

    def release(self, name: str) -> ReleaseDirectory:
        return ReleaseDirectory(self, checked(name))

    def release_names(self) -> list[str]:
        """Newest last: names begin with their time."""
        if not self.releases.is_dir():
            return []
        return sorted(path.name for path in self.releases.iterdir() if NAME.fullmatch(path.name))


@dataclass(frozen=True)
class Layout:
    """The work directory."""

    work_dir: Path

    @property
    def services_dir(self) -> Path:
        return self.work_dir / "services"

    @property
    def supervisor_dir(self) -> Path:
        return self.work_dir / "supervisor"

    @property
    def routes_dir(self) -> Path:
        return self.work_dir / "routes"

    @property
    def fences_dir(self) -> Path:
        """Outside the services' directories, so that a fence outlives the service that it protects."""
        return self.work_dir / "fences"

    @property
    def builds_dir(self) -> Path:
        """A directory per running build; what is left there belongs to a build that died."""
        return self.work_dir / "builds"

    @property
    def artifacts_dir(self) -> Path:
        """Built applications, by content key."""
        return self.work_dir / "artifacts"

    @property
    def layers_dir(self) -> Path:
        """Installed dependencies, by content key, shared by the artifacts that need them."""
        return self.work_dir / "layers"

    @property
    def caches_dir(self) -> Path:
        """Package managers' download caches, one directory per organization."""
        return self.work_dir / "caches"

    @property
    def mirrors_dir(self) -> Path:
        """Bare copies of repositories, one per service, so that a push fetches only what is new."""
        return self.work_dir / "mirrors"

    @property
    def volumes_dir(self) -> Path:
        """The data of databases, one directory per service."""
        return self.work_dir / "volumes"

    @property
    def copies_dir(self) -> Path:
        """A directory per shell in a fresh copy of a service; the agent removes it when the shell ends."""
        return self.work_dir / "copies"

    @property
    def reports_dir(self) -> Path:
        """The engine's reports that the bus has not taken yet."""
        return self.work_dir / "reports"

    def service(self, service_id: str) -> ServiceDirectory:
        return ServiceDirectory(self, checked(service_id))

    def services(self) -> list[ServiceDirectory]:
        if not self.services_dir.is_dir():
            return []
        return [self.service(path.name) for path in sorted(self.services_dir.iterdir()) if NAME.fullmatch(path.name)]
