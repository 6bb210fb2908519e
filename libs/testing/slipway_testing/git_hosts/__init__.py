"""One small server that speaks the APIs of GitHub, GitLab, Bitbucket Cloud and Gitea, as strictly as they do.

All four show the same repositories, so one suite of tests can be held against each.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from slipway_testing.git_hosts.bitbucket import BitbucketFront
from slipway_testing.git_hosts.front import Front
from slipway_testing.git_hosts.gitea import GiteaFront
from slipway_testing.git_hosts.github import GitHubFront
from slipway_testing.git_hosts.gitlab import GitLabFront
from slipway_testing.git_hosts.model import Hosted, KnownDelivery, KnownHook, KnownRequest, Repository, Trouble

FRONTS: dict[str, type[Front]] = {
    "github": GitHubFront,
    "gitlab": GitLabFront,
    "bitbucket": BitbucketFront,
    "gitea": GiteaFront,
}


@dataclass
class GitHost:
    """A running host."""

    url: str = ""
    hosted: Hosted = field(default_factory=Hosted)


@asynccontextmanager
async def git_host(*more: web.RouteDef) -> AsyncIterator[GitHost]:
    """A host that answers on a free port of this machine for the length of the block."""
    host = GitHost()
    app = web.Application(client_max_size=1024 * 1024)
    fronts = [front(host.hosted) for front in FRONTS.values()]
    for front in fronts:
        for method, path, handler in front.routes():
            app.router.add_route(method, front.prefix + path, front.guarded(handler))
    app.add_routes(more)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    for front in fronts:
        front.url = host.url
    try:
        yield host
    finally:
        await runner.cleanup()


__all__ = [
    "FRONTS",
    "GitHost",
    "Hosted",
    "KnownDelivery",
    "KnownHook",
    "KnownRequest",
    "Repository",
    "Trouble",
    "git_host",
]
