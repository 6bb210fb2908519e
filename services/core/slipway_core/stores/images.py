"""Services that come from container images, in all environments of an organization."""

from collections.abc import Iterable

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class ImageUser(msgspec.Struct, frozen=True, kw_only=True):
    """A container, or a job made of an image, and where it stands."""

    id: str
    kind: str
    name: str
    environment_id: str
    project_id: str
    mode: str
    image_name: str
    tag: str
    registry_url: str
    auto_deploy: bool
    auto_preview: bool
    stopped: bool


# Candidates by the last part of their names: who else is meant is decided where the rules of names are.
USERS = """
    SELECT s.id, s.kind, s.name, s.environment_id, e.project_id, e.mode, i.image ->> 'image_name' AS image_name,
        coalesce(i.image ->> 'tag', '') AS tag, coalesce(a.config ->> 'url', '') AS registry_url, s.auto_deploy,
        coalesce((s.config ->> 'auto_preview')::boolean, false) AS auto_preview,
        coalesce((t.release_id IS NOT NULL AND NOT t.running) OR t.state = 'DELETED', false) AS stopped
    FROM services s
    JOIN environments e ON e.id = s.environment_id
    JOIN projects p ON p.id = e.project_id
    CROSS JOIN LATERAL (
        SELECT CASE s.kind WHEN 'JOB' THEN s.config #> '{source,image}' ELSE s.config END AS image
    ) i
    LEFT JOIN outside_accesses a ON a.id::text = i.image ->> 'registry_id'
    LEFT JOIN service_states t ON t.service_id = s.id
    WHERE p.organization_id = $1 AND s.kind = ANY($2::text[])
        AND substring(i.image ->> 'image_name' FROM '[^/]*$') = $3
    ORDER BY s.id
"""


class Images:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def users(self, organization_id: str, kinds: Iterable[str], last_part: str) -> list[ImageUser]:
        """Services of these kinds whose image ends with this part of a name (`shop` of `ghcr.io/acme/shop`)."""
        return rows.many(await self._connection.fetch(USERS, organization_id, list(kinds), last_part), ImageUser)
