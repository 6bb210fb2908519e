"""Where things stand: their ancestors, from one statement per kind."""

from slipway_contracts.places import Place
from slipway_core.stores import rows
from slipway_postgres import Connection

ORGANIZATION = "SELECT id AS organization_id, name FROM organizations WHERE id = $1"
CLUSTER = "SELECT organization_id, id AS cluster_id, name FROM clusters WHERE id = $1"
PROJECT = "SELECT organization_id, id AS project_id, name FROM projects WHERE id = $1"
ENVIRONMENT = """
    SELECT p.organization_id, p.id AS project_id, e.id AS environment_id, e.cluster_id, e.mode, e.name
    FROM environments e JOIN projects p ON p.id = e.project_id WHERE e.id = $1
"""
SERVICE = """
    SELECT p.organization_id, p.id AS project_id, e.id AS environment_id, e.cluster_id, e.mode, s.id AS service_id,
        s.name
    FROM services s JOIN environments e ON e.id = s.environment_id JOIN projects p ON p.id = e.project_id
    WHERE s.id = $1 AND ($2::text IS NULL OR s.kind = $2)
"""
STAGE = """
    SELECT p.organization_id, p.id AS project_id, e.id AS environment_id, e.cluster_id, e.mode, d.name
    FROM deployment_stages d JOIN environments e ON e.id = d.environment_id JOIN projects p ON p.id = e.project_id
    WHERE d.id = $1
"""
VARIABLE = """
    SELECT p.organization_id, p.id AS project_id, coalesce(e.id::text, '') AS environment_id,
        coalesce(e.cluster_id::text, '') AS cluster_id, coalesce(e.mode, '') AS mode,
        coalesce(s.id::text, '') AS service_id, v.key AS name
    FROM variables v
        LEFT JOIN services s ON s.id = v.service_id
        LEFT JOIN environments e ON e.id = coalesce(v.environment_id, s.environment_id)
        JOIN projects p ON p.id = coalesce(v.project_id, e.project_id)
    WHERE v.id = $1
"""
DEPLOYMENT = """
    SELECT p.organization_id, p.id AS project_id, e.id AS environment_id, e.cluster_id, e.mode, e.name
    FROM deployments d JOIN environments e ON e.id = d.environment_id JOIN projects p ON p.id = e.project_id
    WHERE d.id = $1
"""
STATEMENTS = {
    "deployment": DEPLOYMENT,
    "organization": ORGANIZATION,
    "cluster": CLUSTER,
    "project": PROJECT,
    "environment": ENVIRONMENT,
    "stage": STAGE,
    "variable": VARIABLE,
}
SERVICE_KINDS = {"service": None, "application": "APPLICATION", "container": "CONTAINER", "database": "DATABASE"} | {
    "job": "JOB"
}


class Places:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def locate(self, kind: str, id: str) -> Place | None:
        """The ancestors of a thing; None when there is none of this kind with this id."""
        if kind in SERVICE_KINDS:
            return rows.one(await self._connection.fetchrow(SERVICE, id, SERVICE_KINDS[kind]), Place)
        return rows.one(await self._connection.fetchrow(STATEMENTS[kind], id), Place)
