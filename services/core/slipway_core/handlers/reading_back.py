"""What services wrote, and what their repositories' commits say: read from the streams and from known pushes."""

import asyncio
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import msgspec

from slipway_contracts.live import LOGGED
from slipway_core.api import answers
from slipway_core.app import Core, found
from slipway_core.pushes import repository_key
from slipway_core.specifications import git_of
from slipway_core.stores.commits import KnownCommit
from slipway_http import Call

NAMESPACE = UUID("3e2c1f8a-5b7d-4f3e-8f0c-2f9b6f7a1d55")
LINES, COMMITS = 1000, 50
LOOK_BACK = timedelta(hours=1)
READ_SECONDS = 5.0


async def log(app: Core, call: Call[None]) -> answers.LogResponseList:
    """The newest lines that a service wrote within the last hour (the WebSocket gateway has all, and live)."""
    async with app.reading() as work:
        found(await work.services.get(call.place.service_id))
    lines: deque[dict[str, Any]] = deque(maxlen=LINES)
    async with asyncio.timeout(READ_SECONDS):
        async for stored in app.bus.history(
            LOGGED,
            since=app.clock() - LOOK_BACK,
            cluster_id=call.place.cluster_id,
            environment_id=call.place.environment_id,
            service_id=call.place.service_id,
            kind="run",
        ):
            batch = stored.message
            lines.extend(
                {
                    "id": str(uuid5(NAMESPACE, f"{batch.epoch}/{line.sequence}")),
                    "created_at": datetime.fromtimestamp(line.time_ns / 1e9, UTC),
                    "message": line.text,
                    "pod_name": batch.source,
                    "version": batch.release,
                }
                for line in batch.lines
            )
    return msgspec.convert({"results": list(lines)}, answers.LogResponseList)


async def commits(app: Core, call: Call[None]) -> answers.CommitResponseList:
    """The newest commits of a service's repository, as far as pushes told of them."""
    shown = [
        {
            "created_at": one.at,
            "git_commit_id": one.id,
            "tag": "",
            "message": one.message,
            "author_name": one.author_name,
            "author_avatar_url": one.author_avatar_url,
        }
        for one in await _commits(app, call)
    ]
    return msgspec.convert({"results": shown}, answers.CommitResponseList)


async def contributors(app: Core, call: Call[None]) -> answers.UserResponseList:
    """Who wrote them."""
    people = {one.author_email or one.author_name: one for one in reversed(await _commits(app, call))}
    shown = [
        {
            "id": str(uuid5(NAMESPACE, who)),
            "created_at": one.at,
            "first_name": one.author_name,
            "last_name": "",
            "email": one.author_email,
        }
        | ({"profile_picture_url": one.author_avatar_url} if one.author_avatar_url else {})
        for who, one in people.items()
    ]
    return msgspec.convert({"results": shown}, answers.UserResponseList)


async def _commits(app: Core, call: Call[Any]) -> list[KnownCommit]:
    async with app.reading() as work:
        git = git_of(found(await work.services.get(call.place.service_id)).config)
        if git is None:
            return []
        return await work.commits.latest(call.place.organization_id, repository_key(git["url"]), COMMITS)
