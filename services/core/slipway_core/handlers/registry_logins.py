"""How an engine logs in at the registry of a service's image. The login leaves core only sealed for one cluster."""

from slipway_contracts.specs import ImageSource, RegistryLogin
from slipway_core.app import Core, Work
from slipway_core.handlers.outside import REGISTRY, opened
from slipway_core.problems import wrong
from slipway_core.stores.outside_accesses import OutsideAccess
from slipway_http.routing import UUID

TOKENS_ONLY = frozenset({"ECR", "AZURE_CR"})
"""Registries that take no lasting password, unless one is given."""


async def registry_login(app: Core, work: Work, organization_id: str, image: ImageSource) -> RegistryLogin:
    """Address, user and password of the image's registry; no user where none is known."""
    known = UUID.fullmatch(image.registry_id)
    row = await work.outside_accesses.get(image.registry_id, organization_id, REGISTRY) if known else None
    if row is None:
        raise wrong(("$.registry_id", f"the registry of {image.name} is gone"))
    username, password = login_of(row, await opened(app, work, row))
    return RegistryLogin(url=str(row.config.get("url", "")), username=username, password=password)


def login_of(row: OutsideAccess, secret: dict[str, str]) -> tuple[str, str]:
    """User and password as the kind of registry wants them."""
    given = row.config.get("config") or {}
    if secret.get("password"):
        return str(given.get("username", "")), secret["password"]
    if secret.get("scaleway_secret_key"):
        return "nologin", secret["scaleway_secret_key"]
    if secret.get("json_credentials"):
        return "_json_key", secret["json_credentials"]
    if row.kind in TOKENS_ONLY:
        raise wrong(("$.registry_id", f"a registry of kind {row.kind} can't be used without a password yet"))
    return "", ""
