"""What Git told: deliveries that took effect, the heads of branches, commits with their words."""

from datetime import datetime

import msgspec

from slipway_contracts.git import Commit, ImagePush, Push
from slipway_core.stores import rows
from slipway_postgres import Connection


class StoredCommit(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    message: str
    author_name: str
    author_email: str
    author_avatar_url: str
    at: datetime


class Follower(msgspec.Struct, frozen=True, kw_only=True):
    """A service with a Git source in the organization."""

    id: str
    name: str
    environment_id: str
    url: str
    branch: str
    auto_deploy: bool
    stopped: bool


class Link(msgspec.Struct, frozen=True, kw_only=True):
    organization_id: str
    repository: str
    clone_url: str


ADD = """
    INSERT INTO git_deliveries (link_id, delivery_id, organization_id, repository, ref, before, after, decision,
        received_at, handled_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, $9)
    ON CONFLICT DO NOTHING RETURNING 1
"""
DECIDE = """
    UPDATE git_deliveries SET decision = $3, detail = $4, deployment_ids = $5 WHERE link_id = $1 AND delivery_id = $2
"""
LINK = "SELECT organization_id, repository, clone_url FROM git_links WHERE id::text = $1"
# A push that began where this one ends: this one is older, whenever it arrives. Deliveries are late by minutes at
# most; what lies longer ago says nothing, since branches are forced back to where they were.
IS_OLDER = """
    SELECT EXISTS (
        SELECT FROM git_deliveries
        WHERE organization_id = $1 AND repository = $2 AND ref = $3 AND before = $4
            AND (link_id, delivery_id) <> ($5, $6)
            AND decision IN ('deployed', 'followed', 'not_followed', 'skipped', 'older')
            AND received_at > $7::timestamptz - interval '1 hour'
    )
"""
HEAD = "SELECT commit FROM git_heads WHERE organization_id = $1 AND repository = $2 AND ref = $3"
HEADS = "SELECT repository, ref, commit FROM git_heads WHERE organization_id = $1 AND repository = ANY($2::text[])"
MOVE_HEAD = """
    INSERT INTO git_heads (organization_id, repository, ref, commit, updated_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (organization_id, repository, ref) DO UPDATE SET commit = $4, updated_at = $5
"""
DROP_HEAD = "DELETE FROM git_heads WHERE organization_id = $1 AND repository = $2 AND ref = $3"
LOCK_REPOSITORY = "SELECT pg_advisory_xact_lock(hashtextextended($1, 5119))"
ADD_COMMIT = """
    INSERT INTO git_commits (organization_id, repository, id, message, author_name, author_email, author_avatar_url, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
"""
COMMITS = """
    SELECT id, message, author_name, author_email, author_avatar_url, at FROM git_commits
    WHERE organization_id = $1 AND id = ANY($2::text[])
"""
FOLLOWERS = """
    SELECT s.id, s.name, s.environment_id, s.auto_deploy,
        coalesce(s.config #>> '{git_repository,url}', s.config #>> '{source,docker,git_repository,url}') AS url,
        coalesce(s.config #>> '{git_repository,branch}', s.config #>> '{source,docker,git_repository,branch}', 'main')
            AS branch,
        coalesce((t.release_id IS NOT NULL AND NOT t.running) OR t.state = 'DELETED', false) AS stopped
    FROM services s
    JOIN environments e ON e.id = s.environment_id
    JOIN projects p ON p.id = e.project_id
    LEFT JOIN service_states t ON t.service_id = s.id
    WHERE p.organization_id = $1
        AND coalesce(s.config #>> '{git_repository,url}', s.config #>> '{source,docker,git_repository,url}') IS NOT NULL
    ORDER BY s.id
"""
FIRE = """
    INSERT INTO firings (schedule_id, nominal_at, handled_at) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING RETURNING 1
"""


class GitEvents:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def link(self, id: str) -> Link | None:
        return rows.one(await self._connection.fetchrow(LINK, id), Link)

    async def accept(self, push: Push, organization_id: str, repository: str, now: datetime) -> bool:
        """Note the delivery; False when it took effect before."""
        added = await self._connection.fetchval(
            ADD,
            push.link_id,
            push.delivery_id,
            organization_id,
            repository,
            push.ref,
            push.before,
            push.after,
            push.received_at,
            now,
        )
        return added is not None

    async def accept_image(self, push: ImagePush, organization_id: str, now: datetime) -> bool:
        """Note the delivery of an image; False when it took effect before."""
        sent = (push.link_id, push.delivery_id, organization_id, push.image, f"image/{push.tag}", "", push.digest)
        return await self._connection.fetchval(ADD, *sent, push.received_at, now) is not None

    async def decide(self, push: Push | ImagePush, decision: str, detail: str, deployment_ids: list[str]) -> None:
        await self._connection.execute(DECIDE, push.link_id, push.delivery_id, decision, detail, deployment_ids)

    async def lock_repository(self, organization_id: str, repository: str) -> None:
        """Pushes of one repository are decided one after the other."""
        await self._connection.execute(LOCK_REPOSITORY, f"{organization_id} {repository}")

    async def head(self, organization_id: str, repository: str, ref: str) -> str:
        """The commit that the ref pointed to last; empty: not known."""
        return await self._connection.fetchval(HEAD, organization_id, repository, ref) or ""

    async def is_older(self, organization_id: str, repository: str, push: Push) -> bool:
        """Has a push that followed this one been here already?"""
        older: bool = await self._connection.fetchval(
            IS_OLDER,
            organization_id,
            repository,
            push.ref,
            push.after,
            push.link_id,
            push.delivery_id,
            push.received_at,
        )
        return older

    async def move_head(self, organization_id: str, repository: str, ref: str, commit: str, now: datetime) -> None:
        await self._connection.execute(MOVE_HEAD, organization_id, repository, ref, commit, now)

    async def drop_head(self, organization_id: str, repository: str, ref: str) -> None:
        await self._connection.execute(DROP_HEAD, organization_id, repository, ref)

    async def heads(self, organization_id: str, repositories: list[str]) -> dict[tuple[str, str], str]:
        """(repository, ref) → commit."""
        found = await self._connection.fetch(HEADS, organization_id, repositories)
        return {(row["repository"], row["ref"]): row["commit"] for row in found}

    async def add_commit(self, organization_id: str, repository: str, commit: Commit, now: datetime) -> None:
        await self._connection.execute(
            ADD_COMMIT,
            organization_id,
            repository,
            commit.id,
            commit.message[:10_000],
            commit.author_name,
            commit.author_email,
            commit.author_avatar_url,
            commit.at or now,
        )

    async def commits(self, organization_id: str, ids: list[str]) -> dict[str, StoredCommit]:
        found = rows.many(await self._connection.fetch(COMMITS, organization_id, ids), StoredCommit)
        return {commit.id: commit for commit in found}

    async def followers(self, organization_id: str) -> list[Follower]:
        """Every service of the organization that comes from Git."""
        return rows.many(await self._connection.fetch(FOLLOWERS, organization_id), Follower)

    async def fire(self, schedule_id: str, nominal_at: datetime, now: datetime) -> bool:
        """Note that a schedule's firing takes effect; False when it did before."""
        return await self._connection.fetchval(FIRE, schedule_id, nominal_at, now) is not None
