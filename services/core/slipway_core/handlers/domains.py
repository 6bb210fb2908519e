"""Custom domains: further names under which a service answers from its next deployment on."""

import asyncio
import re
import socket
from typing import Any
from urllib.parse import urlsplit

import msgspec

from slipway_contracts.base import uuid7
from slipway_core.api import answers, bodies
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.problems import wrong
from slipway_core.stores.domains import CustomDomain
from slipway_http import Call

DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
LOOK_UP_SECONDS = 3.0


async def all(app: Core, call: Call[None]) -> answers.CustomDomainResponseList:
    """The domains of a service."""
    async with app.reading() as work:
        listed = await work.custom_domains.all(call.place.service_id)
    return answers.CustomDomainResponseList(results=[await _view(app, call, one) for one in listed])


async def create(app: Core, call: Call[bodies.CustomDomainRequest]) -> answers.CustomDomain:
    """One more name for a service."""
    domain = _checked(app, call.body)
    async with app.work(actor_of(call)) as work:
        made = await work.custom_domains.add(uuid7(), call.place.service_id, domain)
        await _say(work, call, None, made)
    return await _view(app, call, made)


async def edit(app: Core, call: Call[bodies.CustomDomainRequest]) -> answers.CustomDomain:
    """Another name instead."""
    domain = _checked(app, call.body)
    async with app.work(actor_of(call)) as work:
        before = await _one(work, call)
        made = await work.custom_domains.rename(before.id, domain)
        await _say(work, call, before, made)
    return await _view(app, call, made)


async def delete(app: Core, call: Call[None]) -> None:
    """One name less."""
    async with app.work(actor_of(call)) as work:
        before = await _one(work, call)
        await work.custom_domains.delete(before.id)
        await _say(work, call, before, None)


async def status(app: Core, call: Call[None]) -> answers.CustomDomain:
    """One domain."""
    async with app.reading() as work:
        return await _view(app, call, await _one(work, call))


async def _one(work: Work, call: Call[Any]) -> CustomDomain:
    return found(await work.custom_domains.get(id_in(call, "customDomainId"), call.place.service_id))


def _checked(app: Core, body: bodies.CustomDomainRequest) -> str:
    domain = body.domain.strip().rstrip(".").lower()
    own = app.settings.workload_domain.lower()
    here = (urlsplit(app.settings.public_url).hostname or "").lower()
    errors = []
    if not DOMAIN.fullmatch(domain):
        errors.append(("$.domain", "is no name of a host such as shop.example.com"))
    elif domain in (here, own) or domain.endswith(f".{own}"):
        errors.append(("$.domain", "belongs to the platform"))
    if body.generate_certificate:
        errors.append(("$.generate_certificate", "certificates are not supported yet"))
    if body.use_cdn is True:
        errors.append(("$.use_cdn", "is not supported yet"))
    if errors:
        raise wrong(*errors)
    return domain


async def check(app: Core, call: Call[None]) -> answers.CheckedCustomDomainsResponse:
    """Whether each domain leads to where the service answers."""
    async with app.reading() as work:
        listed = await work.custom_domains.all(call.place.service_id)
        label = found(await work.services.get(call.place.service_id)).label
    ours = await _addresses(f"{label}.{app.settings.workload_domain}")
    results = []
    for one in listed:
        theirs = await _addresses(one.domain)
        good = bool(theirs and theirs & ours)
        state = "RESOLVES_TO_IP" if good else "DOMAIN_LINKED_TO_WRONG_HOST" if theirs else "DOMAIN_NOT_CONFIGURED"
        details = None if good else f"resolves to {', '.join(sorted(theirs)) or 'nothing'}"
        results.append({"domain_name": one.domain, "status": state, "error_details": details})
    return msgspec.convert({"results": results}, answers.CheckedCustomDomainsResponse)


async def _addresses(host: str) -> set[str]:
    if host.endswith(".localhost"):
        return {"127.0.0.1", "::1"}
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (TimeoutError, OSError, UnicodeError):
        return set()
    return {str(address[4][0]) for address in found}


async def _view(app: Core, call: Call[Any], domain: CustomDomain) -> answers.CustomDomain:
    shown = {
        "id": domain.id,
        "created_at": domain.created_at,
        "updated_at": domain.updated_at,
        "domain": domain.domain,
        "generate_certificate": False,
        "use_cdn": False,
        "validation_domain": domain.domain,
        "status": "VALIDATION_PENDING",
    }
    return msgspec.convert(shown, answers.CustomDomain)


async def _say(work: Work, call: Call[Any], before: CustomDomain | None, after: CustomDomain | None) -> None:
    service = found(await work.services.get(call.place.service_id, lock=True))
    await work.changed(
        "service",
        "updated",
        call.place,
        id=service.id,
        name=service.name,
        version=service.version,
        before={"domain": before.domain} if before else None,
        after={"domain": after.domain} if after else None,
        target=service.kind,
        sub_target="CUSTOM_DOMAIN",
    )
