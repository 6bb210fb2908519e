"""Where branches stand: what pushes told, and what remotes say when they are asked."""

import asyncio

import structlog

from slipway_contracts.access import GIT_AUDIENCE
from slipway_core import specifications
from slipway_core.app import Core, Work
from slipway_core.handlers.dispatch import GIT_USER, built_in_repository
from slipway_core.machine import Action
from slipway_core.planner import Request, Wish
from slipway_core.pushes import BRANCH, repository_key
from slipway_core.stores.deployments import Ground
from slipway_core.stores.services import Service
from slipway_errors import Fault
from slipway_security import jwt

Asked = dict[tuple[str, str], str]
"""(repository, ref) → commit."""
LOGIN_SECONDS = 60.0
log = structlog.get_logger()


async def ask(app: Core, url: str, ref: str) -> str:
    """The commit that a remote has under a ref; empty when it has none, or can't be asked."""
    repository = built_in_repository(app.settings.public_url, url)
    user = password = ""
    if repository:
        user = GIT_USER
        password = jwt.issue(app.signing_key, "core", GIT_AUDIENCE, LOGIN_SECONDS, repository=repository)
    try:
        return await app.remotes.head(url, ref, user, password) or ""
    except Fault as fault:
        log.info("remote not asked", url=url, ref=ref, reason=fault.detail)
        return ""


async def newest(app: Core, ground: Ground, request: Request) -> Asked:
    """Ask for the branches that a request means by "newest" and of which pushes don't keep us informed."""
    if request.action is not Action.DEPLOY or request.redeploy:
        return {}
    async with app.reading() as work:
        services = await work.services.of_environment(ground.environment_id)
        wanted = {}
        for service in services:
            branch = _branch_to_ask(service, request)
            if branch is not None:
                wanted[repository_key(branch[0]), BRANCH + branch[1]] = branch[0]
        known = await work.git_events.heads(ground.organization_id, sorted({key for key, _ in wanted}))
    asked = {place: url for place, url in wanted.items() if place not in known or not _is_built_in(app, url)}
    commits = await asyncio.gather(*(ask(app, url, ref) for (_, ref), url in asked.items()))
    return {place: commit for place, commit in zip(asked, commits, strict=True) if commit}


def _branch_to_ask(service: Service, request: Request) -> tuple[str, str] | None:
    """(URL, branch), when the request leaves the commit of this service to its branch."""
    git = specifications.git_of(service.config)
    wish = request.wishes.get(service.id)
    if git is None or (wish is None and (service.is_skipped or not request.everything)):
        return None
    wish = wish or Wish()
    if wish.commit or wish.keep_commit or wish.release_id:
        return None
    return git["url"], specifications.branch_of(git)


def _is_built_in(app: Core, url: str) -> bool:
    return bool(built_in_repository(app.settings.public_url, url))


async def note(work: Work, organization_id: str, asked: Asked) -> None:
    """Keep what remotes said."""
    for (repository, ref), commit in asked.items():
        await work.git_events.move_head(organization_id, repository, ref, commit, work.now)
