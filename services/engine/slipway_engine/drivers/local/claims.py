"""meta.json of a service: what agents and the next engine know it by."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from slipway_engine.drivers import Work
from slipway_workloads import Layout, ServiceDirectory, ServiceMeta
from slipway_workloads.records import read, write


def service_of(layout: Layout, work: Work) -> ServiceDirectory:
    return layout.service(work.task.service_id)


def meta_of(layout: Layout, work: Work) -> ServiceMeta | None:
    return read(service_of(layout, work).meta, ServiceMeta)


def claim(layout: Layout, work: Work, hostnames: Sequence[str] = ()) -> ServiceMeta:
    """Write down whose service this is; what ran of it before stays so."""
    task, spec = work.task, work.task.service
    old = meta_of(layout, work)
    meta = ServiceMeta(
        cluster_id=task.cluster_id,
        organization_id=task.organization_id,
        project_id=task.project_id,
        environment_id=task.environment_id,
        service_id=task.service_id,
        name=spec.name,
        label=spec.label,
        hostnames=list(hostnames),
        fence=max(task.fence, old.fence if old else 0),
        current_release=old.current_release if old else "",
        desired=old.desired if old else "running",
        kind=spec.kind,
        artifact=old.artifact if old else "",
        changed_at=datetime.now(UTC),
    )
    write(service_of(layout, work).meta, meta)
    return meta


def changed(meta: ServiceMeta, work: Work, **changes: str) -> ServiceMeta:
    """The record after something about the service was changed by this work."""
    fence = max(work.task.fence, meta.fence)
    return msgspec.structs.replace(meta, fence=fence, changed_at=datetime.now(UTC), **changes)
