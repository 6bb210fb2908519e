"""Commits that pushes told of, by repository."""

from datetime import datetime

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class KnownCommit(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    message: str
    author_name: str
    author_email: str
    author_avatar_url: str
    at: datetime


LATEST = """
    SELECT id, message, author_name, author_email, author_avatar_url, at FROM git_commits
    WHERE organization_id = $1 AND repository = $2 ORDER BY at DESC, id LIMIT $3
"""


class Commits:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def latest(self, organization_id: str, repository: str, limit: int) -> list[KnownCommit]:
        return rows.many(await self._connection.fetch(LATEST, organization_id, repository, limit), KnownCommit)
