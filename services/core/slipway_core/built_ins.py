"""Variables that every service gets from Slipway: who it is, where it stands, how its neighbours are reached. Pure.

They are made when they are asked for, never stored; their ids follow from where they stand and their key.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID, uuid5

from slipway_core.stores.environments import Environment
from slipway_core.stores.projects import Project
from slipway_core.stores.services import Service
from slipway_core.stores.variables import VariableRow

NAMESPACE = UUID("c0a6d9f4-4c3e-4d6c-9b39-1f7b0a8f4a11")


def of_project(project: Project) -> list[VariableRow]:
    """What is known in a project."""
    return [
        _row(project.id, "QOVERY_ORGANIZATION_ID", project.organization_id, project.created_at),
        _row(project.id, "QOVERY_PROJECT_ID", project.id, project.created_at),
    ]


def of_environment(
    environment: Environment, services: Iterable[Service], domain: str, public_url: str
) -> list[VariableRow]:
    """What is known in an environment and in each of its services."""
    at = environment.created_at
    stated = {
        "QOVERY_ENVIRONMENT_ID": environment.id,
        "QOVERY_ENVIRONMENT_NAME": environment.name,
        "QOVERY_ENVIRONMENT_TYPE": environment.mode,
        "QOVERY_CLOUD_PROVIDER": str(environment.cluster_config.get("cloud_provider", "ON_PREMISE")),
        "QOVERY_CLOUD_PROVIDER_REGION": str(environment.cluster_config.get("region", "")),
    }
    rows = [_row(environment.id, key, value, at) for key, value in stated.items()]
    for service in services:
        rows.extend(_of_service(environment.id, service, domain, public_url))
    return rows


def _of_service(environment_id: str, service: Service, domain: str, public_url: str) -> Iterator[VariableRow]:
    """Neighbours are reached by the name they have outside: that holds on every kind of cluster."""
    if not any(port.get("publicly_accessible") for port in service.config.get("ports") or []):
        return
    scheme, _, rest = public_url.partition("://")
    port = rest.partition("/")[0].rpartition(":")[2]
    host = f"{service.label}.{domain}"
    where = f"{host}:{port}" if port.isdigit() else host
    prefix = f"QOVERY_{service.kind}_{short(service.id)}"
    yield _row(environment_id, f"{prefix}_HOST_EXTERNAL", host, service.created_at)
    yield _row(environment_id, f"{prefix}_URL_EXTERNAL", f"{scheme}://{where}", service.created_at)


def short(id: str) -> str:
    """A service in the name of a variable: the random end of its id (the beginning is a time)."""
    return "Z" + id.replace("-", "")[-8:].upper()


def _row(scope_id: str, key: str, value: str, at: datetime) -> VariableRow:
    return VariableRow(
        id=str(uuid5(NAMESPACE, f"{scope_id}/{key}")),
        project_id=None,
        environment_id=None,
        service_id=None,
        key=key,
        type="BUILT_IN",
        value=value,
        created_at=at,
        updated_at=at,
    )
