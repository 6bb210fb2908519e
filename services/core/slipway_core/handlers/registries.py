"""What container registries hold: images and their tags, looked at with the login that is kept for them."""

import asyncio

from msgspec import UNSET

from slipway_core import service_rules
from slipway_core.api import answers, bodies
from slipway_core.app import Core, found
from slipway_core.callers import id_in
from slipway_core.handlers import outside
from slipway_core.images import HUB
from slipway_core.problems import Unsupported, wrong
from slipway_core.registries import Registry
from slipway_core.stores.outside_accesses import OutsideAccess
from slipway_http import Call

MOST_IMAGES = 20
"""Of how many images found by a part of their name the tags are asked for."""
AT_ONCE = 5
LOGINS = {
    "SCALEWAY_CR": ("nologin", "scaleway_secret_key"),
    "GCP_ARTIFACT_REGISTRY": ("_json_key", "json_credentials"),
}
"""(user, secret field) where the registry is one of a cloud; elsewhere user and password are stated."""
NEEDS_CLOUD = {
    "ECR": "a token of AWS, given for its keys",
    "AZURE_CR": "a token of Azure, given to a service principal",
}


async def versions(app: Core, call: Call[None]) -> answers.ContainerVersionResponseList:
    """The tags of an image, or of the images whose names hold a text."""
    registry = await _registry(app, call.place.organization_id, id_in(call, outside.PARAMS[outside.REGISTRY]))
    name = call.query.imageName
    if name is not UNSET:
        _check_name("$.imageName", name)
        names = [name]
    else:
        part = "" if call.query.search is UNSET else call.query.search.lower()
        names = [one for one in await app.registries.catalog(registry) if part in one][:MOST_IMAGES]
    gate = asyncio.Semaphore(AT_ONCE)
    listed = await asyncio.gather(*(_tags(app, gate, registry, one) for one in names))
    return answers.ContainerVersionResponseList(
        results=[
            answers.ContainerVersionResponse(image_name=image, versions=tags)
            for image, tags in zip(names, listed, strict=True)
            if tags is not None
        ]
    )


async def _tags(app: Core, gate: asyncio.Semaphore, registry: Registry, image: str) -> list[str] | None:
    async with gate:
        return await app.registries.tags(registry, image)


async def check(app: Core, call: Call[bodies.ContainerImageCheckRequest]) -> None:
    """Whether a registry has an image with a tag; without a registry, Docker Hub."""
    body = call.body
    _check_name("$.image_name", body.image_name)
    if not service_rules.TAG.fullmatch(body.tag):
        raise wrong(("$.tag", "is no tag of an image"))
    registry = Registry(f"https://{HUB}")
    if body.registry_id is not UNSET:
        registry = await _registry(app, call.place.organization_id, body.registry_id.lower(), "$.registry_id")
    if await app.registries.has(registry, body.image_name, body.tag):
        return
    if await app.registries.tags(registry, body.image_name) is None:
        raise wrong(("$.image_name", f"{registry.host} has no such image, or doesn't show it"))
    raise wrong(("$.tag", f"{body.image_name} has no such tag at {registry.host}"))


def _check_name(path: str, name: str) -> None:
    if len(name) > 255 or not service_rules.IMAGE.fullmatch(name):
        raise wrong((path, "is no name of an image"))


async def _registry(app: Core, organization_id: str, id: str, path: str = "") -> Registry:
    """A registry with its login; `path`: of the field that names it."""
    async with app.reading() as work:
        row = await work.outside_accesses.get(id, organization_id, outside.REGISTRY)
        if row is None and path:
            raise wrong((path, "there is no such registry"))
        return registry_of(found(row), await outside.opened(app, work, found(row)))


def registry_of(row: OutsideAccess, secret: dict[str, str]) -> Registry:
    """How a registry that users entered is asked. Unsupported where its login can't be had."""
    config = row.config.get("config") or {}
    user, field = LOGINS.get(row.kind, (str(config.get("username") or ""), "password"))
    if row.kind in NEEDS_CLOUD and not secret.get(field):
        raise Unsupported(f"{row.name} can't be looked into: that needs {NEEDS_CLOUD[row.kind]}.", missing=["login"])
    return Registry(str(row.config.get("url") or ""), user, secret.get(field, ""))
