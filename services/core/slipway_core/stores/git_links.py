"""Webhook endpoints of services: what a provider signs with, kept by envelope."""

from datetime import datetime

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_postgres import Connection, constraint_faults


class GitLinkRow(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    organization_id: str
    service_id: str
    provider: str
    """slipway, github, gitea, gitlab, bitbucket."""
    repository: str
    clone_url: str
    data_key_id: str
    secret_ciphertext: bytes
    previous_ciphertext: bytes | None
    shown_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into the bucket beside a link."""

    project_id: str
    environment_id: str


ADD = """
    INSERT INTO git_links (id, organization_id, service_id, provider, repository, clone_url, data_key_id,
        secret_ciphertext)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING *
"""
GET = "SELECT * FROM git_links WHERE id = $1"
OF_SERVICE = "SELECT * FROM git_links WHERE service_id = $1 FOR UPDATE"
PLACE = """
    SELECT e.project_id, e.id AS environment_id FROM services s JOIN environments e ON e.id = s.environment_id
    WHERE s.id = $1
"""
POINT = """
    UPDATE git_links SET provider = $2, repository = $3, clone_url = $4, updated_at = now() WHERE id = $1 RETURNING *
"""
ROTATE = """
    UPDATE git_links SET previous_ciphertext = secret_ciphertext, secret_ciphertext = $2, data_key_id = $3,
        shown_at = $4, updated_at = $4
    WHERE id = $1 RETURNING *
"""
HAND_OVER = """
    UPDATE git_links l SET service_id = (
        SELECT s.id FROM services s JOIN environments e ON e.id = s.environment_id
            JOIN projects p ON p.id = e.project_id
        WHERE p.organization_id = l.organization_id AND s.id <> $1
            AND s.config #>> '{git_repository,url}' = l.clone_url ORDER BY s.id LIMIT 1)
    WHERE l.service_id = $1 AND l.provider = 'slipway' AND EXISTS (
        SELECT FROM services s JOIN environments e ON e.id = s.environment_id JOIN projects p ON p.id = e.project_id
        WHERE p.organization_id = l.organization_id AND s.id <> $1
            AND s.config #>> '{git_repository,url}' = l.clone_url)
"""
SHOWN = "UPDATE git_links SET shown_at = $2 WHERE id = $1"
DELETE = "DELETE FROM git_links WHERE id = $1"
TAKEN = "SELECT EXISTS (SELECT FROM git_links WHERE provider = 'slipway' AND repository = $1)"
ALL = "SELECT * FROM git_links"
REBASE_SERVICES = """
    UPDATE services SET config = jsonb_set(config, '{git_repository,url}', to_jsonb(concat(
        $1::text, '/git/', config #>> '{git_repository,owner}', '/', config #>> '{git_repository,name}', '.git')))
    WHERE config #>> '{git_repository,provider}' = 'SLIPWAY'
        AND NOT starts_with(config #>> '{git_repository,url}', $1 || '/git/')
"""
REBASE_LINKS = """
    UPDATE git_links SET clone_url = $1 || '/git/' || repository || '.git', updated_at = now()
    WHERE provider = 'slipway' AND NOT starts_with(clone_url, $1 || '/git/') RETURNING id
"""


class GitLinks:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self,
        id: str,
        organization_id: str,
        service_id: str,
        provider: str,
        repository: str,
        clone_url: str,
        data_key_id: str,
        secret_ciphertext: bytes,
    ) -> GitLinkRow:
        with constraint_faults({"git_links_built_in": lambda: _taken(repository)}):
            row = await self._connection.fetchrow(
                ADD, id, organization_id, service_id, provider, repository, clone_url, data_key_id, secret_ciphertext
            )
        return rows.sure(row, GitLinkRow)

    async def get(self, id: str) -> GitLinkRow | None:
        return rows.one(await self._connection.fetchrow(GET, id), GitLinkRow)

    async def of_service(self, service_id: str) -> GitLinkRow | None:
        return rows.one(await self._connection.fetchrow(OF_SERVICE, service_id), GitLinkRow)

    async def place(self, service_id: str) -> Place | None:
        return rows.one(await self._connection.fetchrow(PLACE, service_id), Place)

    async def point(self, id: str, provider: str, repository: str, clone_url: str) -> GitLinkRow:
        """The link is for another repository now."""
        with constraint_faults({"git_links_built_in": lambda: _taken(repository)}):
            return rows.sure(await self._connection.fetchrow(POINT, id, provider, repository, clone_url), GitLinkRow)

    async def rotate(self, id: str, secret_ciphertext: bytes, data_key_id: str, now: datetime) -> GitLinkRow:
        """A new secret; the one before it is still taken."""
        row = await self._connection.fetchrow(ROTATE, id, secret_ciphertext, data_key_id, now)
        return rows.sure(row, GitLinkRow)

    async def hand_over(self, service_id: str) -> None:
        """The service goes: a built-in repository that others follow, too, is theirs then."""
        await self._connection.execute(HAND_OVER, service_id)

    async def shown(self, id: str, now: datetime) -> None:
        await self._connection.execute(SHOWN, id, now)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)

    async def is_taken(self, repository: str) -> bool:
        """Whether a built-in repository has this name already."""
        return bool(await self._connection.fetchval(TAKEN, repository))

    async def rebase(self, public_url: str) -> list[str]:
        """The platform has another address: built-in repositories move with it. The links that changed."""
        base = public_url.rstrip("/")
        await self._connection.execute(REBASE_SERVICES, base)
        return [str(row["id"]) for row in await self._connection.fetch(REBASE_LINKS, base)]

    async def all(self) -> list[GitLinkRow]:
        return rows.many(await self._connection.fetch(ALL), GitLinkRow)


def _taken(repository: str) -> NameTaken:
    return NameTaken("git_repository.url", repository, "a built-in repository")
