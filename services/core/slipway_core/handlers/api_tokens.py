"""API tokens: shown once, kept as a hash, never more than their role."""

import msgspec

from slipway_contracts.base import uuid7
from slipway_core import roles
from slipway_core.api import answers, bodies
from slipway_core.app import Core, found
from slipway_core.callers import actor_of, id_in
from slipway_core.handlers.members import known_role
from slipway_core.problems import AboveYourself
from slipway_core.stores.api_tokens import ApiToken
from slipway_http import Call
from slipway_security.tokens import new_token, token_hash


async def all(app: Core, call: Call[None]) -> answers.OrganizationApiTokenResponseList:
    """The tokens of an organization, without their values."""
    asked = msgspec.to_builtins(call.query)
    async with app.reading() as work:
        tokens = await work.api_tokens.all(call.place.organization_id, asked.get("name"), asked.get("creatorName"))
    return answers.OrganizationApiTokenResponseList(results=[_view(token) for token in tokens])


def _view(token: ApiToken) -> answers.OrganizationApiToken:
    return answers.OrganizationApiToken(
        id=token.id,
        created_at=token.created_at,
        updated_at=token.created_at,
        name=token.name,
        description=token.description,
        role_name=roles.NAMES.get(token.role) or token.role_name or "",
        role_id=roles.id_of(token.role),
    )


async def create(app: Core, call: Call[bodies.OrganizationApiTokenCreateRequest]) -> answers.OrganizationApiTokenCreate:
    """A new token. Its value is in this answer and nowhere else."""
    organization = call.place.organization_id
    given = msgspec.to_builtins(call.body)
    role_id = given.get("role_id") or (roles.IDS["admin"] if given.get("scope") else roles.IDS["viewer"])
    value = new_token()
    async with app.work(actor_of(call)) as work:
        role, role_name = await known_role(work, organization, role_id, "$.role_id")
        if not roles.may_give(call.caller.grants, organization, role):
            raise AboveYourself("A token can't be more than you are.")
        token = await work.api_tokens.add(
            uuid7(),
            organization,
            given["name"],
            given.get("description", ""),
            role,
            token_hash(value),
            work.actor.user_id,
        )
        await work.copies.add("access", [f"token.{token.hash}"])
        await work.changed(
            "token",
            "created",
            call.place,
            id=token.id,
            name=token.name,
            after={"name": token.name, "role": role_name},
            target="ORGANIZATION",
            sub_target="API_TOKEN",
        )
    return answers.OrganizationApiTokenCreate(
        id=token.id,
        created_at=token.created_at,
        updated_at=token.created_at,
        name=token.name,
        description=token.description,
        token=value,
        role_name=role_name,
        role_id=roles.id_of(role),
    )


async def delete(app: Core, call: Call[None]) -> None:
    """Revoke a token; it is void everywhere within two seconds."""
    async with app.work(actor_of(call)) as work:
        token = found(await work.api_tokens.delete(id_in(call, "apiTokenId"), call.place.organization_id))
        await work.copies.add("access", [f"token.{token.hash}"])
        await work.changed(
            "token",
            "deleted",
            call.place,
            id=token.id,
            name=token.name,
            before={"name": token.name, "role": token.role},
            target="ORGANIZATION",
            sub_target="API_TOKEN",
        )
