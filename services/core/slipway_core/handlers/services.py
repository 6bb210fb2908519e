"""Services of every kind: one implementation, told what is a kind's own by `kinds.py`."""

import copy
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from slipway_contracts.access import Permission
from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core import service_rules
from slipway_core.api import answers
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of
from slipway_core.handlers import abilities, git_links, outside
from slipway_core.handlers.projects import slug
from slipway_core.kinds import BY_NAME, Kind
from slipway_core.problems import wrong
from slipway_core.service_rules import Draft
from slipway_core.stores.outside_accesses import OutsideAccess
from slipway_core.stores.services import Found, Service
from slipway_errors import Busy
from slipway_http import Call, etag, require_match

READ = Permission.READ


async def of_environment(app: Core, call: Call[None], kind: Kind) -> Any:
    """The services of one kind in an environment."""
    async with app.reading() as work:
        services = await work.services.of_environment(call.place.environment_id, kind.name)
        beside = await outside.beside(work, services)
    return kind.answers(results=[view(service, beside) for service in services])


async def every_kind(app: Core, call: Call[None]) -> answers.ListServicesByEnvironmentIdAnswer:
    """All services of an environment."""
    async with app.reading() as work:
        services = await work.services.of_environment(call.place.environment_id)
        beside = await outside.beside(work, services)
    listed = [msgspec.to_builtins(view(service, beside)) for service in services]
    return msgspec.convert({"results": listed}, answers.ListServicesByEnvironmentIdAnswer)


async def of_organization(app: Core, call: Call[None]) -> answers.ListServicesByOrganizationIdAnswer:
    """All services of an organization that the caller may see, in short."""
    asked = msgspec.to_builtins(call.query)
    async with app.reading() as work:
        services = await work.services.search(
            call.place.organization_id, asked.get("project_id"), asked.get("environment_id"), asked.get("cluster_id")
        )
    shown = [_light(one) for one in services if call.caller.may(READ, place_in(call.place, one.project_id, one.mode))]
    return msgspec.convert({"results": shown}, answers.ListServicesByOrganizationIdAnswer)


def place_in(organization: Place, project_id: str, mode: str) -> Place:
    """Where rights on an environment of an organization are asked."""
    return msgspec.structs.replace(organization, project_id=project_id, mode=mode)


def _light(one: Found) -> dict[str, Any]:
    shown = {
        "id": one.id,
        "name": one.name,
        "description": one.config.get("description") or "",
        "icon_uri": icon(one.kind, one.config),
        "service_type": one.kind,
        "project_id": one.project_id,
        "project_name": one.project_name,
        "environment_id": one.environment_id,
        "environment_name": one.environment_name,
        "cluster_id": one.cluster_id,
    }
    return shown | ({"job_type": job_type(one.config)} if one.kind == "JOB" else {})


async def create(app: Core, call: Call[Any], kind: Kind) -> Any:
    """A new service, in its kind's default stage."""
    given = msgspec.to_builtins(call.body)
    name = given.pop("name")
    async with app.work(actor_of(call)) as work:
        service = await add(app, work, call.place, kind, name, dict(kind.defaults) | given)
        return await shown(work, service)


async def add(app: Core, work: Work, place: Place, kind: Kind, name: str, config: dict[str, Any]) -> Service:
    """Check and store a new service, with its Git link."""
    draft = await _draft(app, work, place, name, config)
    checked = _checked(kind, draft)
    await abilities.check(work, place, kind.name)
    await outside.check_used(work, place.organization_id, checked)
    auto_deploy = _auto_deploy(checked)
    service = await insert(work, place, kind, name, checked, auto_deploy)
    await git_links.follow(app, work, place, service)
    await say(work, place, "created", None, service)
    return service


async def insert(work: Work, place: Place, kind: Kind, name: str, config: dict[str, Any], auto_deploy: bool) -> Service:
    """Store a new service under a free host name, in its kind's default stage."""
    environment = found(await work.environments.get(place.environment_id))
    stage_id = await work.stages.default_for(place.environment_id, kind.name)
    id = uuid7()
    for label in _labels(name, environment.name):
        service = await work.services.add(
            id, place.environment_id, kind.name, name, label, stage_id, config, auto_deploy, work.actor.user_id
        )
        if service is not None:
            return service
    raise Busy("No free host name was found for it: try again.")


def _labels(name: str, environment: str) -> list[str]:
    """Host names to try: the service's own, then with its environment, then with something random."""
    plain, where = slug(name, 30), slug(environment, 20)
    return [plain, f"{plain}-{where}", *(f"{plain}-{where}-{secrets.token_hex(3)}" for _ in range(5))]


async def _draft(
    app: Core, work: Work, place: Place, name: str, config: dict[str, Any], before: dict[str, Any] | None = None
) -> Draft:
    project = found(await work.projects.get(place.project_id))
    service_slug = slug(name)
    if before is None and await work.git_links.is_taken(f"{project.slug}/{service_slug}"):
        service_slug = f"{service_slug[:33]}-{secrets.token_hex(3)}"
    return Draft(
        config=copy.deepcopy(config),
        public_url=app.settings.public_url,
        project_slug=project.slug,
        service_slug=service_slug,
        allowed_hosts=frozenset(app.settings.allowed_git_hosts.split(",")),
        before=before,
    )


def _checked(kind: Kind, draft: Draft) -> dict[str, Any]:
    for rule in kind.rules:
        rule(draft)
    if draft.errors:
        raise wrong(*draft.errors)
    return draft.config


def _auto_deploy(config: dict[str, Any]) -> bool:
    """A column, because pushes look for it; the platform's choice is to deploy what is pushed."""
    stated = config.pop("auto_deploy", None)
    return True if stated is None else bool(stated)


async def get(app: Core, call: Call[None]) -> Any:
    """One service."""
    async with app.reading() as work:
        service = found(await work.services.get(call.place.service_id))
        call.response_headers["ETag"] = etag(service.version)
        return await shown(work, service)


async def edit(app: Core, call: Call[Any], kind: Kind) -> Any:
    """Change a service. What is left out stays; nothing runs differently before the next deployment."""
    given = msgspec.to_builtins(call.body)
    async with app.work(actor_of(call)) as work:
        before = found(await work.services.get(call.place.service_id, lock=True))
        require_match(call, before.version)
        _refuse_fixed(kind, before, given)
        name = given.pop("name", before.name)
        merged = {"auto_deploy": before.auto_deploy} | before.config | given
        checked = _checked(kind, await _draft(app, work, call.place, name, merged, before.config))
        await outside.check_used(work, call.place.organization_id, checked)
        service = await work.services.update(before.id, name, checked, _auto_deploy(checked))
        await git_links.follow(app, work, call.place, service)
        await say(work, call.place, "updated", before, service)
        call.response_headers["ETag"] = etag(service.version)
        return await shown(work, service)


def _refuse_fixed(kind: Kind, before: Service, given: dict[str, Any]) -> None:
    changed = [name for name in kind.fixed if name in given and given[name] != before.config.get(name)]
    if changed:
        raise wrong(*((f"$.{name}", "can't be changed") for name in changed))


async def advanced_defaults(app: Core, call: Call[None], kind: Kind) -> Any:
    """Advanced settings with their defaults."""
    return _advanced(kind, {})


async def advanced(app: Core, call: Call[None], kind: Kind) -> Any:
    """The advanced settings of a service."""
    async with app.reading() as work:
        service = found(await work.services.get(call.place.service_id))
    return _advanced(kind, service.advanced)


async def edit_advanced(app: Core, call: Call[Any], kind: Kind) -> Any:
    """Set the advanced settings of a service; what is left out goes back to its default."""
    given = {name: value for name, value in msgspec.to_builtins(call.body).items() if value != kind.advanced.get(name)}
    async with app.work(actor_of(call)) as work:
        before = found(await work.services.get(call.place.service_id, lock=True))
        require_match(call, before.version)
        service = await work.services.set_advanced(before.id, given)
        await work.changed(
            "service",
            "updated",
            call.place,
            id=service.id,
            name=service.name,
            version=service.version,
            before=before.advanced,
            after=service.advanced,
            target=service.kind,
            sub_target="ADVANCED_SETTINGS",
        )
    return _advanced(kind, service.advanced)


def _advanced(kind: Kind, own: dict[str, Any]) -> Any:
    assert kind.advanced_answer is not None
    return msgspec.convert({**kind.advanced, **own}, kind.advanced_answer)


async def links(app: Core, call: Call[None]) -> answers.LinkResponseList:
    """Where a service answers."""
    async with app.reading() as work:
        service = found(await work.services.get(call.place.service_id))
    return answers.LinkResponseList(results=_links(app, service))


async def links_of_environment(app: Core, call: Call[None]) -> answers.LinkResponseList:
    """Where the services of an environment answer."""
    async with app.reading() as work:
        services = await work.services.of_environment(call.place.environment_id)
    return answers.LinkResponseList(results=[link for service in services for link in _links(app, service)])


def _links(app: Core, service: Service) -> list[answers.Link]:
    """The public default port answers under the label; other public ports have no address of their own yet."""
    port = _public_port(service)
    if port is None:
        return []
    scheme, number = _outside(app.settings.public_url)
    shown = "" if (scheme, number) in (("http", 80), ("https", 443)) else f":{number}"
    link = {
        "service_id": service.id,
        "service_type": service.kind,
        "url": f"{scheme}://{service.label}.{app.settings.workload_domain}{shown}",
        "internal_port": port["internal_port"],
        "external_port": number,
        "is_qovery_domain": True,
        "is_default": True,
    }
    return [msgspec.convert(link, answers.Link)]


def _public_port(service: Service) -> dict[str, Any] | None:
    public = [port for port in service.config.get("ports") or [] if port["publicly_accessible"]]
    port = next((port for port in public if port.get("is_default")), None)
    return port if port is not None and port.get("protocol", "HTTP") in ("HTTP", "GRPC") else None


def is_public(service: Service) -> bool:
    """Whether requests from outside are led to it."""
    return _public_port(service) is not None


def _outside(public_url: str) -> tuple[str, int]:
    parts = urlsplit(public_url)
    return parts.scheme, parts.port or (443 if parts.scheme == "https" else 80)


async def say(work: Work, place: Place, verb: str, before: Service | None, after: Service | None) -> None:
    service = after or before
    assert service is not None
    await work.changed(
        "service",
        verb,
        msgspec.structs.replace(place, service_id=service.id),
        id=service.id,
        name=service.name,
        version=service.version,
        before=_audited(before) if before else None,
        after=_audited(after) if after else None,
        body={"kind": service.kind, "label": service.label},
        target=service.kind,
    )


def _audited(service: Service) -> dict[str, Any]:
    return {"name": service.name, "auto_deploy": service.auto_deploy, **service.config}


def icon(kind: str, config: dict[str, Any]) -> str:
    return str(config.get("icon_uri") or f"app://qovery-console/{kind.lower()}")


def job_type(config: dict[str, Any]) -> str:
    return "CRON" if (config.get("schedule") or {}).get("cronjob") else "LIFECYCLE"


async def shown(work: Work, service: Service) -> Any:
    """As the public API shows it, with the names of what it uses."""
    return view(service, await outside.beside(work, [service]))


def view(service: Service, beside: Mapping[str, OutsideAccess]) -> Any:
    """As the public API shows it; `beside` are the registries and Git tokens that it uses."""
    kind = BY_NAME[service.kind]
    fields = {
        "gpu": 0,
        **service.config,
        "id": service.id,
        "created_at": service.created_at,
        "updated_at": service.updated_at,
        "environment": {"id": service.environment_id},
        "name": service.name,
        "auto_deploy": service.auto_deploy,
        "icon_uri": icon(service.kind, service.config),
        "service_type": service.kind,
        "maximum_cpu": service_rules.MAXIMUM_CPU,
        "maximum_memory": service_rules.MAXIMUM_MEMORY,
        "maximum_gpu": 0,
        "annotations_groups": [],
        "labels_groups": [],
    }
    if not fields.get("description"):
        fields["description"] = ""
    if git := fields.get("git_repository"):
        fields["git_repository"] = _git(git, beside)
    return msgspec.convert(EXTRAS.get(service.kind, _nothing)(fields, beside), kind.answer)


def _nothing(fields: dict[str, Any], beside: Mapping[str, OutsideAccess]) -> dict[str, Any]:
    return fields


def _git(git: dict[str, Any], beside: Mapping[str, OutsideAccess]) -> dict[str, Any]:
    token = beside.get(git.get("git_token_id") or "")
    return git | {"git_token_name": token.name} if token else git


def _registry(id: str, beside: Mapping[str, OutsideAccess]) -> dict[str, Any]:
    registry = beside[id]
    return {"id": id, "name": registry.name, "url": registry.config.get("url", ""), "kind": registry.kind}


def _container(fields: dict[str, Any], beside: Mapping[str, OutsideAccess]) -> dict[str, Any]:
    return fields | {"registry": _registry(fields["registry_id"], beside)}


def _database(fields: dict[str, Any], beside: Mapping[str, OutsideAccess]) -> dict[str, Any]:
    return fields | {"port": service_rules.DATABASE_PORTS[fields["type"]], "disk_encrypted": False}


def _job(fields: dict[str, Any], beside: Mapping[str, OutsideAccess]) -> dict[str, Any]:
    source = dict(fields["source"])
    if image := source.get("image"):
        source["image"] = image | {"registry": _registry(image["registry_id"], beside)}
    if docker := source.get("docker"):
        source["docker"] = docker | {"git_repository": _git(docker["git_repository"], beside)}
    return fields | {"source": source, "job_type": job_type(fields)}


EXTRAS = {"CONTAINER": _container, "DATABASE": _database, "JOB": _job}
