"""Git links: the webhook endpoint of a service, whose secret its provider signs with.

The secret of a provider's link is shown once; the one of the built-in remote is shown to nobody.
"""

import secrets
from datetime import datetime

import msgspec

from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core import git_sources
from slipway_core.api import answers
from slipway_core.api.forms import Answer
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of
from slipway_core.images import host_of
from slipway_core.specifications import git_of, image_of
from slipway_core.stores.git_links import GitLinkRow
from slipway_core.stores.services import Service
from slipway_errors import Conflict
from slipway_http import Call


class ShownBefore(Conflict):
    """The secret was shown before."""

    code = "git_link.shown_before"


class GitLinkView(Answer, frozen=True, kw_only=True):
    """A webhook endpoint: give its URL (and its secret) to the Git provider."""

    id: str
    provider: str
    repository: str
    url: str
    secret_was_shown: bool
    created_at: datetime


class GitLinkSecret(Answer, frozen=True, kw_only=True):
    """URL and secret of a webhook. The secret is in this answer only."""

    id: str
    url: str
    secret: str
    content_type: str = "application/json"
    events: tuple[str, ...] = ("push",)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where news of a service come from."""

    provider: str
    """As webhooks name it."""
    repository: str
    """Empty for images: a registry's webhook tells of all of its images."""
    url: str


IMAGE_PROVIDERS = {"DOCKER_HUB": "dockerhub", "GITHUB_CR": "github"}
"""Registries with webhooks of their own kind; any other is told of by a CI system (`hook`)."""


NO_SOURCE = "Git link: this service has neither a repository nor an image"


async def follow(app: Core, work: Work, place: Place, service: Service) -> None:
    """Make the link of a service fit its repository or image: none, a new one, or the one that it has."""
    source = await _source(work, place.organization_id, service)
    link = await work.git_links.of_service(service.id)
    if source is not None and link is not None and (link.provider, link.clone_url) == (source.provider, source.url):
        return
    if link is not None:
        await work.git_links.delete(link.id)
        await work.copies.add("git-links", [link.id])
    if source is not None and not await _is_followed_elsewhere(work, source):
        await _add(app, work, place, service.id, source)


async def _source(work: Work, organization_id: str, service: Service) -> Source | None:
    git, image = git_of(service.config), image_of(service.config)
    if git is not None:
        repository = f"{git['owner']}/{git['name']}" if git["owner"] else git["name"]
        return Source(provider=git_sources.PROVIDERS[git["provider"]], repository=repository, url=git["url"])
    if image is None:
        return None
    registry = await work.outside_accesses.get(image.registry_id, organization_id, "registry")
    kind, url = (registry.kind, registry.config.get("url", "")) if registry else ("", "")
    name = f"{host_of(url)}/{image.name}" if url else image.name
    return Source(provider=IMAGE_PROVIDERS.get(kind, "hook"), repository="", url=name)


async def _is_followed_elsewhere(work: Work, source: Source) -> bool:
    """A built-in repository has one link; further services of its project follow the same pushes."""
    return source.provider == "slipway" and await work.git_links.is_taken(source.repository)


async def _add(app: Core, work: Work, place: Place, service_id: str, source: Source) -> None:
    id = uuid7()
    data_key_id, ciphertext = await _new_secret(app, work, place.organization_id, id)
    await work.git_links.add(
        id,
        place.organization_id,
        service_id,
        source.provider,
        source.repository,
        source.url,
        data_key_id,
        ciphertext,
    )
    await work.copies.add("git-links", [id])


async def _new_secret(app: Core, work: Work, organization_id: str, link_id: str) -> tuple[str, bytes]:
    return await app.encrypt(work, organization_id, secrets.token_urlsafe(32), f"git_links/{link_id}")


async def get(app: Core, call: Call[None]) -> GitLinkView:
    """The webhook endpoint of a service."""
    async with app.reading() as work:
        row = found(
            await work.git_links.of_service(call.place.service_id),
            NO_SOURCE,
        )
    return GitLinkView(
        id=row.id,
        provider=row.provider,
        repository=row.repository,
        url=hook_url(app, row),
        secret_was_shown=row.shown_at is not None,
        created_at=row.created_at,
    )


def hook_url(app: Core, row: GitLinkRow) -> str:
    return f"{app.settings.public_url.rstrip('/')}/hooks/{row.provider}/{row.id}"


async def show_secret(app: Core, call: Call[None]) -> GitLinkSecret:
    """The secret of a webhook, once."""
    async with app.work(actor_of(call)) as work:
        row = await _providers_link(work, call)
        if row.shown_at is not None:
            raise ShownBefore("It is shown once. Make a new secret, and put that into the provider's webhook.")
        await work.git_links.shown(row.id, work.now)
        await _say(work, call, row, "shown")
        return await _secret(app, work, row)


async def rotate_secret(app: Core, call: Call[None]) -> GitLinkSecret:
    """A new secret for a webhook; the one before is taken too, until the next rotation."""
    async with app.work(actor_of(call)) as work:
        row = await _providers_link(work, call)
        data_key_id, ciphertext = await _new_secret(app, work, row.organization_id, row.id)
        row = await work.git_links.rotate(row.id, ciphertext, data_key_id, work.now)
        await work.copies.add("git-links", [row.id])
        await _say(work, call, row, "changed")
        return await _secret(app, work, row)


async def _providers_link(work: Work, call: Call[None]) -> GitLinkRow:
    row = found(await work.git_links.of_service(call.place.service_id), NO_SOURCE)
    if row.provider == "slipway":
        raise Conflict("The built-in remote needs no webhook: push to it.")
    return row


async def _secret(app: Core, work: Work, row: GitLinkRow) -> GitLinkSecret:
    bound_to = f"git_links/{row.id}"
    secret = (await app.decrypt(work, row.organization_id, row.data_key_id, row.secret_ciphertext, bound_to)).decode()
    # Docker Hub can neither sign nor set a header: the address carries the secret.
    query = f"?token={secret}" if row.provider == "dockerhub" else ""
    return GitLinkSecret(id=row.id, url=hook_url(app, row) + query, secret=secret)


async def _say(work: Work, call: Call[None], row: GitLinkRow, what: str) -> None:
    service = found(await work.services.get(row.service_id, lock=True))
    await work.changed(
        "service",
        "updated",
        call.place,
        id=service.id,
        name=service.name,
        version=service.version,
        after={"git_link": row.id, "secret": what},
        target=service.kind,
        sub_target="GIT_REPOSITORY",
    )


async def webhook_status(app: Core, call: Call[None]) -> answers.GitWebhookStatusResponse:
    """Whether pushes reach this service. What only the provider knows is not guessed."""
    async with app.reading() as work:
        row = await work.git_links.of_service(call.place.service_id)
        service = found(await work.services.get(call.place.service_id))
    provider = (git_of(service.config) or {}).get("provider", "GITHUB")
    status = "NOT_CONFIGURED" if row is None else "ACTIVE" if row.provider == "slipway" else "UNABLE_TO_VERIFY"
    return msgspec.convert({"status": status, "provider": provider}, answers.GitWebhookStatusResponse)
