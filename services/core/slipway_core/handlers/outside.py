"""Logins outside: container registries, Git tokens, cloud credentials. One implementation, three sorts.

A secret goes in and is used by engines; it never comes out of the API. A Git token goes only to the host it is for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core import git_sources
from slipway_core.api import answers
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.problems import InUse, wrong
from slipway_core.specifications import git_of
from slipway_core.stores.outside_accesses import OutsideAccess, User
from slipway_core.stores.services import Service
from slipway_http import Call, etag, require_match
from slipway_http.routing import UUID

REGISTRY, GIT_TOKEN, CREDENTIALS = "registry", "git_token", "credentials"
PARAMS = {REGISTRY: "containerRegistryId", GIT_TOKEN: "gitTokenId", CREDENTIALS: "credentialsId"}
TOLD = {REGISTRY: "CONTAINER_REGISTRY", GIT_TOKEN: "ORGANIZATION", CREDENTIALS: "ORGANIZATION"}
SUB_TARGETS = {REGISTRY: None, GIT_TOKEN: "GIT_TOKEN", CREDENTIALS: "CLOUD_PROVIDER_CREDENTIALS"}
SECRET_FIELDS = frozenset(
    {
        "secret_access_key",
        "scaleway_secret_key",
        "json_credentials",
        "password",
        "token",
        "gcp_credentials",
        "vsphere_password",
    }
)
GIT_HOSTS = {"GITHUB": "github.com", "GITLAB": "gitlab.com", "BITBUCKET": "bitbucket.org"}
GIT_APIS = {
    "GITHUB": "https://api.github.com",
    "GITLAB": "https://gitlab.com",
    "BITBUCKET": "https://api.bitbucket.org",
}
GIT_USERS = {"GITHUB": "x-access-token", "GITLAB": "oauth2", "BITBUCKET": "x-token-auth", "GITEA": "slipway"}


@dataclass(frozen=True)
class Registries:
    """What a kind of registry needs to be logged in at."""

    url: str = ""
    needs: tuple[str, ...] = ()


KINDS: Mapping[str, Registries] = {
    "DOCKER_HUB": Registries("https://docker.io"),
    "GITHUB_CR": Registries("https://ghcr.io"),
    "GITHUB_ENTERPRISE_CR": Registries(needs=("username", "password")),
    "GITLAB_CR": Registries("https://registry.gitlab.com"),
    "PUBLIC_ECR": Registries("https://public.ecr.aws"),
    "GENERIC_CR": Registries(),
    "DOCR": Registries("https://registry.digitalocean.com", ("username", "password")),
    "ECR": Registries(needs=("region",)),
    "SCALEWAY_CR": Registries(needs=("region", "scaleway_access_key", "scaleway_secret_key", "scaleway_project_id")),
    "GCP_ARTIFACT_REGISTRY": Registries(needs=("region",)),
    "AZURE_CR": Registries(needs=("azure_tenant_id", "azure_subscription_id")),
}


async def available_registries(app: Core, call: Call[None]) -> answers.AvailableContainerRegistryResponseList:
    """The kinds of registry, and what each needs."""
    shown = [
        {"kind": kind, "required_config": {name: {} for name in one.needs}, "is_mandatory": False}
        for kind, one in KINDS.items()
    ]
    return msgspec.convert({"results": shown}, answers.AvailableContainerRegistryResponseList)


async def all(app: Core, call: Call[None], sort: str, kind: str | None = None) -> Any:
    """Those of an organization, without their secrets."""
    async with app.reading() as work:
        listed = await work.outside_accesses.all(call.place.organization_id, sort, kind)
    return LISTS[sort](results=[view(one) for one in listed])


async def every_credential(app: Core, call: Call[None]) -> answers.OrganizationCrendentialsResponseList:
    """Cloud credentials of all clouds. No cluster uses one: those that run by themselves need none."""
    async with app.reading() as work:
        listed = await work.outside_accesses.all(call.place.organization_id, CREDENTIALS)
    shown = [{"credential": msgspec.to_builtins(view(one)), "clusters": []} for one in listed]
    return msgspec.convert({"results": shown}, answers.OrganizationCrendentialsResponseList)


async def get(app: Core, call: Call[None], sort: str) -> Any:
    """One of them, without its secret."""
    async with app.reading() as work:
        row = await work.outside_accesses.get(id_in(call, PARAMS[sort]), call.place.organization_id, sort)
    call.response_headers["ETag"] = etag(found(row).version)
    return view(found(row))


async def create(app: Core, call: Call[Any], sort: str, kind: str = "") -> Any:
    """Take in a new one."""
    name, kind, plain, secret = _fields(app, sort, kind, msgspec.to_builtins(call.body))
    async with app.work(actor_of(call)) as work:
        id, organization = uuid7(), call.place.organization_id
        key_id, ciphertext = await _sealed(app, work, organization, id, secret)
        row = await work.outside_accesses.add(id, organization, sort, kind, name, plain, key_id, ciphertext)
        await _say(work, call, "created", None, row)
    return view(row)


async def edit(app: Core, call: Call[Any], sort: str, kind: str = "") -> Any:
    """Change one. Secrets that are left out stay, unless they would go to another host."""
    name, kind, plain, secret = _fields(app, sort, kind, msgspec.to_builtins(call.body))
    async with app.work(actor_of(call)) as work:
        id, organization = id_in(call, PARAMS[sort]), call.place.organization_id
        before = found(await work.outside_accesses.get(id, organization, sort, lock=True))
        require_match(call, before.version)
        key_id, ciphertext = before.data_key_id, before.ciphertext
        if secret or _goes_elsewhere(before, kind, plain):
            key_id, ciphertext = await _sealed(app, work, organization, id, secret)
        row = await work.outside_accesses.update(id, kind, name, plain, key_id, ciphertext)
        await _say(work, call, "updated", before, row)
    call.response_headers["ETag"] = etag(row.version)
    return view(row)


def _goes_elsewhere(before: OutsideAccess, kind: str, plain: Mapping[str, Any]) -> bool:
    """A kept secret would be sent to another host, or used in another way: it must be entered again."""
    names = ("url", "git_api_url", "type", "credential_type")
    return before.kind != kind or any(before.config.get(name) != plain.get(name) for name in names)


async def delete(app: Core, call: Call[None], sort: str) -> None:
    """Forget one that no service uses."""
    async with app.work(actor_of(call)) as work:
        id, organization = id_in(call, PARAMS[sort]), call.place.organization_id
        row = found(await work.outside_accesses.get(id, organization, sort, lock=True))
        if users := await work.outside_accesses.users(organization, id):
            listed = [{"kind": "service", "id": user.service_id, "name": user.service_name} for user in users]
            raise InUse(row.name, listed)
        await work.outside_accesses.delete(id)
        await _say(work, call, "deleted", row, None)


def _fields(app: Core, sort: str, kind: str, given: dict[str, Any]) -> tuple[str, str, dict[str, Any], dict[str, str]]:
    """Name, kind, plain fields, secret fields."""
    if not given.get("name"):
        raise wrong(("$.name", "is needed"))
    name = given.pop("name")
    if sort == REGISTRY:
        kind = given.pop("kind")
        given = _checked_registry(app, kind, given)
    elif sort == GIT_TOKEN:
        kind = given.pop("type")
        _check_git_token(app, kind, given)
    else:
        _check_credentials(kind, given)
    plain, secret = _split(given)
    return name, kind, plain, secret


def _split(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    plain: dict[str, Any] = {}
    secret: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            plain[name], inner = _split(value)
            secret |= inner
        elif name in SECRET_FIELDS:
            secret[name] = value
        else:
            plain[name] = value
    return plain, secret


def _checked_registry(app: Core, kind: str, given: dict[str, Any]) -> dict[str, Any]:
    known, config = KINDS[kind], given.get("config", {})
    url = given.get("url") or known.url
    errors = [(f"$.config.{name}", f"is needed for {kind}") for name in known.needs if not config.get(name)]
    if not _is_outside(app, url):
        errors.append(("$.url", "must be the https address of a registry outside"))
    if errors:
        raise wrong(*errors)
    return {**given, "url": url}


def _check_git_token(app: Core, kind: str, given: dict[str, Any]) -> None:
    if kind == "SLIPWAY":
        raise wrong(("$.type", "the built-in remote takes API tokens"))
    given["git_api_url"] = given.get("git_api_url") or GIT_APIS.get(kind, "")
    if not _is_outside(app, given["git_api_url"]):
        raise wrong(("$.git_api_url", "must be the https address of a Git host outside"))


CREDENTIAL_NEEDS: Mapping[str, tuple[str, ...]] = {
    "AWS_STATIC": ("access_key_id", "secret_access_key"),
    "AWS_ROLE": ("role_arn",),
    "EKS_ANYWHERE_VSPHERE_STATIC": ("access_key_id", "secret_access_key", "vsphere_user", "vsphere_password"),
    "EKS_ANYWHERE_VSPHERE_ROLE": ("role_arn", "vsphere_user", "vsphere_password"),
    "SERVICE_ACCOUNT_KEY": ("gcp_credentials",),
    "WORKLOAD_IDENTITY_FEDERATION": ("service_account_email", "workload_identity_provider_resource"),
}


def _check_credentials(kind: str, given: dict[str, Any]) -> None:
    """Each way to log in at a cloud needs its own fields."""
    way = given.get("type", "")
    if kind == "aws" and not way:
        raise wrong(("$.type", f"must be one of {', '.join(list(CREDENTIAL_NEEDS)[:4])}"))
    if kind == "gcp":
        way = given.get("credential_type") or "SERVICE_ACCOUNT_KEY"
        way = given["credential_type"] = "WORKLOAD_IDENTITY_FEDERATION" if way == "WIF" else way
    missing = [(f"$.{name}", f"is needed for {way}") for name in CREDENTIAL_NEEDS.get(way, ()) if not given.get(name)]
    if missing:
        raise wrong(*missing)
    if way == "WORKLOAD_IDENTITY_FEDERATION":
        account = given["service_account_email"].partition("@")[2]
        given |= {"project_id": account.partition(".")[0], "token_lifetime_seconds": 3600}


def _is_outside(app: Core, url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = (parts.hostname or "").lower()
    allowed = host in app.settings.allowed_git_hosts.split(",")
    ours = parts.scheme == "https" and not parts.username and not parts.query and not parts.fragment
    return bool(host) and (allowed or (ours and not git_sources.is_internal(host)))


async def _sealed(
    app: Core, work: Work, organization_id: str, id: str, secret: dict[str, str]
) -> tuple[str | None, bytes | None]:
    if not secret:
        return None, None
    return await app.encrypt(work, organization_id, msgspec.json.encode(secret).decode(), f"outside_accesses/{id}")


async def opened(app: Core, work: Work, row: OutsideAccess) -> dict[str, str]:
    """The secret fields, for those who use them."""
    if row.ciphertext is None or row.data_key_id is None:
        return {}
    bound_to = f"outside_accesses/{row.id}"
    plain = await app.decrypt(work, row.organization_id, row.data_key_id, row.ciphertext, bound_to)
    return msgspec.json.decode(plain, type=dict[str, str])


def host_of(token: OutsideAccess) -> str:
    """The host whose repositories a Git token opens."""
    host = (urlsplit(str(token.config.get("git_api_url", ""))).hostname or "").lower()
    return GIT_HOSTS.get(token.kind, host) if host in ("", f"api.{GIT_HOSTS.get(token.kind, '')}") else host


def _goes_there(token: OutsideAccess, url: str) -> bool:
    """A token is sent to its own host only, and never in clear."""
    parts = urlsplit(url)
    return parts.scheme == "https" and parts.hostname == host_of(token)


async def git_login(app: Core, work: Work, organization_id: str, service: Service, url: str) -> tuple[str, str]:
    """User and password for cloning a service's repository; empty when it needs none."""
    git = git_of(service.config) or {}
    if not git.get("git_token_id"):
        return "", ""
    token = await work.outside_accesses.get(git["git_token_id"], organization_id, GIT_TOKEN)
    if token is None or not _goes_there(token, url):
        raise wrong(("$.git_repository.git_token_id", "the Git token is gone, or for another host"))
    return GIT_USERS.get(token.kind, "slipway"), (await opened(app, work, token))["token"]


async def check_used(work: Work, organization_id: str, config: Mapping[str, Any]) -> None:
    """Refuse a service that names a registry or Git token of somebody else, or one for another host."""
    for path, sort, id in _used(config):
        row = await work.outside_accesses.get(id, organization_id, sort) if UUID.fullmatch(id) else None
        if row is None:
            raise wrong((path, f"there is no such {sort.replace('_', ' ')}"))
        git = git_of(dict(config))
        if sort == GIT_TOKEN and git and not _goes_there(row, git["url"]):
            raise wrong((path, f"this Git token is for https://{host_of(row)}"))


def _used(config: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    source = config.get("source") or {}
    named = [
        ("$.registry_id", REGISTRY, config.get("registry_id")),
        ("$.source.image.registry_id", REGISTRY, (source.get("image") or {}).get("registry_id")),
        ("$.git_repository.git_token_id", GIT_TOKEN, (git_of(dict(config)) or {}).get("git_token_id")),
    ]
    return [(path, sort, id) for path, sort, id in named if id]


async def beside(work: Work, services: list[Service]) -> dict[str, OutsideAccess]:
    """The registries and Git tokens that these services use, to show them by name."""
    return await work.outside_accesses.many({id for one in services for _, _, id in _used(one.config)})


async def users(app: Core, call: Call[None], sort: str) -> Any:
    """The services that use one."""
    async with app.reading() as work:
        id = id_in(call, PARAMS[sort])
        found(await work.outside_accesses.get(id, call.place.organization_id, sort))
        listed = await work.outside_accesses.users(call.place.organization_id, id)
    return msgspec.convert({"results": [_user(user) for user in listed]}, USER_LISTS[sort])


def _user(user: User) -> dict[str, Any]:
    kind = user.kind
    if kind == "JOB":
        kind = "CRON" if (user.config.get("schedule") or {}).get("cronjob") else "LIFECYCLE"
    shown = msgspec.to_builtins(user)
    return {**shown, "service_type": kind}


async def _say(
    work: Work, call: Call[Any], verb: str, before: OutsideAccess | None, after: OutsideAccess | None
) -> None:
    row = after or before
    assert row is not None
    secret = "changed" if before is None or after is None or before.ciphertext != after.ciphertext else "unchanged"
    await work.changed(
        row.sort,
        verb,
        Place(organization_id=row.organization_id),
        id=row.id,
        name=row.name,
        version=row.version + (verb == "deleted"),
        before={"name": before.name, "kind": before.kind, **before.config} if before else None,
        after={"name": after.name, "kind": after.kind, **after.config, "secret": secret} if after else None,
        target=TOLD[row.sort],
        sub_target=SUB_TARGETS[row.sort],
    )


def view(row: OutsideAccess) -> Any:
    """As the public API shows it: never a secret."""
    shown = {
        **row.config,
        "id": row.id,
        "name": row.name,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "associated_services_count": row.services,
    }
    if row.sort == REGISTRY:
        return msgspec.convert(shown | {"kind": row.kind}, answers.ContainerRegistryResponse)
    if row.sort == GIT_TOKEN:
        return msgspec.convert(shown | {"type": row.kind}, answers.GitTokenResponse)
    return msgspec.convert(shown | {"object_type": _object_type(row)}, answers.ClusterCredentials)


def _object_type(row: OutsideAccess) -> str:
    stated = str(row.config.get("type", ""))
    if row.kind == "aws":
        return "AWS_ROLE" if stated == "AWS_ROLE" else "EKS_ANYWHERE_VSPHERE" if "EKS" in stated else "AWS"
    federated = row.config.get("credential_type") == "WORKLOAD_IDENTITY_FEDERATION"
    if row.kind == "gcp":
        return "GCP_WORKLOAD_IDENTITY_FEDERATION" if federated else "GCP"
    return {"scaleway": "SCW", "azure": "AZURE"}.get(row.kind, "OTHER")


LISTS: dict[str, Any] = {
    REGISTRY: answers.ContainerRegistryResponseList,
    GIT_TOKEN: answers.GitTokenResponseList,
    CREDENTIALS: answers.ClusterCredentialsResponseList,
}
USER_LISTS: dict[str, Any] = {
    REGISTRY: answers.ContainerRegistryAssociatedServicesResponseList,
    GIT_TOKEN: answers.GitTokenAssociatedServicesResponseList,
}
