"""Variables that every service gets from Slipway: who it is, where it stands, how its neighbours are reached. Pure.

They are made when they are asked for, never stored; their ids follow from where they stand and their key.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from slipway_core.stores.databases import DatabaseAccess
from slipway_core.stores.environments import Environment
from slipway_core.stores.job_outputs import JobOutputRow
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


SCHEMES = {"POSTGRESQL": "postgresql", "MYSQL": "mysql", "MONGODB": "mongodb", "REDIS": "redis"}


def of_databases(
    environment_id: str, services: Iterable[Service], accesses: Mapping[str, DatabaseAccess]
) -> Iterator[VariableRow]:
    """How applications connect. Those that need the database's place have no value before its first deployment."""
    for service in services:
        access = accesses.get(service.id)
        if access is not None:
            yield from _of_database(environment_id, service, access)


def _of_database(environment_id: str, service: Service, access: DatabaseAccess) -> Iterator[VariableRow]:
    at, prefix = service.created_at, f"QOVERY_{service.config['type']}_{short(service.id)}"
    host, port = access.host or None, str(access.port) if access.port else None
    names = {"HOST": host, "HOST_INTERNAL": host, "PORT": port, "PORT_INTERNAL": port}
    names |= {"LOGIN": access.login, "DEFAULT_DATABASE_NAME": access.database_name}
    for name, value in names.items():
        yield _row(environment_id, f"{prefix}_{name}", value, at)
    secret = {"ciphertext": access.ciphertext, "data_key_id": access.data_key_id}
    bound_to = f"database_accesses/{service.id}"
    yield _row(environment_id, f"{prefix}_PASSWORD", None, at, is_secret=True, bound_to=bound_to, **secret)
    scheme = SCHEMES[service.config["type"]]
    parts = {name: f"{{{{{prefix}_{name}}}}}" for name in (*names, "PASSWORD")}
    url = f"{scheme}://{parts['LOGIN']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}"
    for name in ("DATABASE_URL", "DATABASE_URL_INTERNAL"):
        whole = f"{url}/{parts['DEFAULT_DATABASE_NAME']}" if host and port else None
        yield _row(environment_id, f"{prefix}_{name}", whole, at, is_secret=True)


def of_outputs(environment_id: str, outputs: Iterable[JobOutputRow]) -> Iterator[VariableRow]:
    """What jobs left behind."""
    for one in outputs:
        yield _row(
            environment_id,
            f"QOVERY_OUTPUT_JOB_{short(one.service_id)}_{one.name}",
            one.value,
            one.updated_at,
            is_secret=one.is_secret,
            ciphertext=one.ciphertext,
            data_key_id=one.data_key_id,
            bound_to=f"job_outputs/{one.service_id}/{one.name}",
            description=one.description,
        )


def is_pending(row: VariableRow) -> bool:
    """It will have a value once what it is about was deployed."""
    return row.type == "BUILT_IN" and row.value is None and row.ciphertext is None


def short(id: str) -> str:
    """A service in the name of a variable: the random end of its id (the beginning is a time)."""
    return "Z" + id.replace("-", "")[-8:].upper()


def _row(scope_id: str, key: str, value: str | None, at: datetime, **more: Any) -> VariableRow:
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
        **more,
    )
