"""The first user, organization, cluster and API token of a platform. Safe to run again: it makes what is missing."""

import secrets

import msgspec

from slipway_bus.accounts import AccountsFile
from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core.app import Work
from slipway_core.handlers import clusters
from slipway_errors import Invalid
from slipway_security.passwords import hash_password
from slipway_security.tokens import new_token, token_hash

TOKEN_NAME = "slipway-cli"  # noqa: S105 (the name of one)
SHORTEST_PASSWORD = 8
SHORTEST_TOKEN = 40
LOCAL = {"region": "local", "cloud_provider": "ON_PREMISE", "kubernetes": "SELF_MANAGED", "description": "This machine"}


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted, on standard input."""

    email: str
    password: str | None = None
    """None: one is made up, and told."""
    api_token: str | None = None
    """The API token to make, chosen by whoever asks and kept there; it replaces one that was made earlier."""
    organization: str = "Slipway"
    cluster_name: str = "local"


class Login(msgspec.Struct, frozen=True, kw_only=True):
    user: str
    password: str


class Bootstrapped(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, on standard output. Secrets that were made earlier are null: nobody can tell them again."""

    user_id: str
    organization_id: str
    cluster_id: str
    password: str | None
    api_token: str | None
    engine: Login | None
    agent: Login | None


async def bootstrap(work: Work, accounts: AccountsFile | None, wanted: Bootstrap) -> Bootstrapped:
    """Make what is missing, in one transaction."""
    user_id, password = await _user(work, wanted)
    organization_id = await _organization(work, wanted.organization, user_id)
    cluster_id = await _cluster(work, organization_id, wanted.cluster_name)
    api_token = await _token(work, organization_id, user_id, wanted.api_token)
    engine, agent = await _credentials(accounts, cluster_id)
    return Bootstrapped(
        user_id=user_id,
        organization_id=organization_id,
        cluster_id=cluster_id,
        password=password,
        api_token=api_token,
        engine=engine,
        agent=agent,
    )


async def _user(work: Work, wanted: Bootstrap) -> tuple[str, str | None]:
    email = wanted.email.strip()
    if "@" not in email:
        raise Invalid("The first user needs an e-mail address.")
    user = await work.users.by_email(email)
    if user is not None:
        await work.users.prove(user.id)
        return user.id, None
    password = wanted.password or secrets.token_urlsafe(12)
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid(f"The password needs at least {SHORTEST_PASSWORD} characters.")
    user = await work.users.add(uuid7(), email, hash_password(password), {}, email_proven=True)
    await work.copies.add("access", [f"user.{user.id}"])
    return user.id, None if wanted.password else password


async def _organization(work: Work, name: str, user_id: str) -> str:
    ids = await work.members.organizations_of(user_id)
    for organization in await work.organizations.all(ids):
        if organization.name == name:
            return organization.id
    id = uuid7()
    await work.organizations.add(id, name, {"plan": "ENTERPRISE"})
    await work.members.put(id, user_id, "owner")
    await work.copies.add("access", [f"user.{user_id}"])
    place = Place(organization_id=id)
    await work.changed("organization", "created", place, id=id, name=name, after={"name": name})
    return id


async def _cluster(work: Work, organization_id: str, name: str) -> str:
    for cluster in await work.clusters.all(organization_id):
        if cluster.name == name:
            return cluster.id
    return (await clusters.add(work, organization_id, name, "LOCAL", dict(LOCAL))).id


async def _token(work: Work, organization_id: str, user_id: str, chosen: str | None) -> str | None:
    for earlier in await work.api_tokens.all(organization_id):
        if earlier.name != TOKEN_NAME:
            continue
        if chosen is None or earlier.hash == token_hash(chosen):
            return None
        await work.api_tokens.delete(earlier.id, organization_id)
        await work.copies.add("access", [f"token.{earlier.hash}"])
    if chosen is not None and len(chosen) < SHORTEST_TOKEN:
        raise Invalid(f"The API token needs at least {SHORTEST_TOKEN} characters.")
    value = chosen or new_token()
    token = await work.api_tokens.add(
        uuid7(),
        organization_id,
        TOKEN_NAME,
        "For the command line of this machine",
        "owner",
        token_hash(value),
        user_id,
    )
    await work.copies.add("access", [f"token.{token.hash}"])
    place = Place(organization_id=organization_id)
    await work.changed(
        "token",
        "created",
        place,
        id=token.id,
        name=TOKEN_NAME,
        after={"name": TOKEN_NAME, "role": "owner"},
        target="ORGANIZATION",
        sub_target="API_TOKEN",
    )
    return None if chosen else value


async def _credentials(accounts: AccountsFile | None, cluster_id: str) -> tuple[Login | None, Login | None]:
    if accounts is None or cluster_id in accounts.clusters():
        return None, None
    issued = await accounts.issue(cluster_id)
    return (
        Login(user=issued.engine_user, password=issued.engine_password),
        Login(user=issued.agent_user, password=issued.agent_password),
    )
