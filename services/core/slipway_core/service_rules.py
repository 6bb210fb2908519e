"""What must hold for a service's configuration, kind by kind. Pure: rules look at a draft and note what is wrong.

A draft is the configuration as the public API names it, defaults filled in. Rules also put it into its normal form
(ids of ports, paths from the root), so that what is stored is what is meant.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from slipway_contracts.base import uuid7
from slipway_core import git_sources

MAXIMUM_CPU, MAXIMUM_MEMORY = 64_000, 262_144
"""Millicores and MiB: more than any service should ask for."""
MAX_INSTANCES = 1000
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
IMAGE = re.compile(r"[a-z0-9]+((\.|_|__|-+|/)[a-z0-9]+)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
HEADLESS = re.compile(r"[\x00-\x1f\x7f]")
DATABASE_VERSIONS: Mapping[str, tuple[str, ...]] = {
    "POSTGRESQL": ("18", "17", "16", "15", "14"),
    "MYSQL": ("8.4", "8.0"),
    "MONGODB": ("8.0", "7.0", "6.0"),
    "REDIS": ("8.0", "7.2", "7.0", "6.2"),
}
DATABASE_PORTS = {"POSTGRESQL": 5432, "MYSQL": 3306, "MONGODB": 27017, "REDIS": 6379}


@dataclass
class Draft:
    """A configuration on its way in."""

    config: dict[str, Any]
    public_url: str = ""
    project_slug: str = ""
    service_slug: str = ""
    """For the built-in remote: the repository that is meant when the URL leaves it open."""
    allowed_hosts: frozenset[str] = frozenset()
    before: Mapping[str, Any] | None = None
    """The configuration that is changed; None for a new service."""
    errors: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, path: str, message: str) -> None:
        self.errors.append((f"$.{path}", message))


Rule = Callable[[Draft], None]


def between(name: str, least: int, most: int) -> Rule:
    """A number within bounds, when it is there."""

    def rule(draft: Draft) -> None:
        value = draft.config.get(name)
        if value is not None and not least <= value <= most:
            draft.refuse(name, f"must be between {least} and {most}")

    return rule


def not_yet(*names: str) -> Rule:
    """Parts that would be accepted in vain: better a clear no."""

    def rule(draft: Draft) -> None:
        for name in names:
            if draft.config.get(name):
                draft.refuse(name, "is not supported yet")
            elif name in draft.config and name != "gpu":
                del draft.config[name]

    return rule


def instances(draft: Draft) -> None:
    least, most = draft.config.get("min_running_instances", 1), draft.config.get("max_running_instances", 1)
    if not 0 <= least <= MAX_INSTANCES:
        draft.refuse("min_running_instances", f"must be between 0 and {MAX_INSTANCES}")
    if most != -1 and not max(1, least) <= most <= MAX_INSTANCES:
        draft.refuse("max_running_instances", "must be at least min_running_instances and 1, or -1 for no limit")


def ports(draft: Draft) -> None:
    """Ids and names for all, one default among the public ones, no port twice."""
    listed = draft.config.get("ports") or []
    known = {port["internal_port"]: port["id"] for port in (draft.before or {}).get("ports", [])}
    names: set[str] = set()
    numbers: set[int] = set()
    for n, port in enumerate(listed):
        number = port["internal_port"]
        port["id"] = known.get(number) or uuid7()
        port["name"] = port.get("name") or f"p{number}"
        port["protocol"] = port.get("protocol") or "HTTP"
        port["is_default"] = bool(port.get("is_default")) and port["publicly_accessible"]
        _check_port(draft, n, port, names, numbers)
        names.add(port["name"])
        numbers.add(number)
    public = [port for port in listed if port["publicly_accessible"]]
    if len([port for port in public if port["is_default"]]) > 1:
        draft.refuse("ports", "at most one port can be the default")
    elif public and not any(port["is_default"] for port in public):
        public[0]["is_default"] = True
    draft.config["ports"] = listed


def _check_port(draft: Draft, n: int, port: Mapping[str, Any], names: set[str], numbers: set[int]) -> None:
    for name in ("internal_port", "external_port"):
        if port.get(name) is not None and not 1 <= port[name] <= 65535:
            draft.refuse(f"ports[{n}].{name}", "must be between 1 and 65535")
    if port["internal_port"] in numbers:
        draft.refuse(f"ports[{n}].internal_port", "is there twice")
    if port["name"] in names or not WORD.fullmatch(port["name"]):
        draft.refuse(f"ports[{n}].name", "must be a word that no other port has")
    for name in ("public_path", "public_path_rewrite"):
        if HEADLESS.search(port.get(name) or ""):
            draft.refuse(f"ports[{n}].{name}", "must not hold control characters")


def healthchecks(draft: Draft) -> None:
    for name in ("readiness_probe", "liveness_probe"):
        probe = (draft.config.get("healthchecks") or {}).get(name)
        if probe is not None:
            _probe(draft, f"healthchecks.{name}", probe)


def _probe(draft: Draft, path: str, probe: Mapping[str, Any]) -> None:
    kinds = {kind: details for kind, details in (probe.get("type") or {}).items() if details is not None}
    if len(kinds) > 1:
        draft.refuse(f"{path}.type", "must be one of tcp, http, exec, grpc")
    for kind, details in kinds.items():
        port = details.get("port")
        if kind != "exec" and (port is None or not 1 <= port <= 65535):
            draft.refuse(f"{path}.type.{kind}.port", "must be between 1 and 65535")
        if kind == "exec" and not details.get("command"):
            draft.refuse(f"{path}.type.exec.command", "must not be empty")
        if kind == "http" and not re.fullmatch(r"/[^\x00-\x20\x7f]*", details.get("path") or "/"):
            draft.refuse(f"{path}.type.http.path", "must begin with / and hold no spaces")
    for name, least in (
        ("initial_delay_seconds", 0),
        ("period_seconds", 1),
        ("timeout_seconds", 1),
        ("success_threshold", 1),
        ("failure_threshold", 1),
    ):
        if probe.get(name) is not None and not least <= probe[name] <= 3600:
            draft.refuse(f"{path}.{name}", f"must be between {least} and 3600")


def own_git(draft: Draft) -> None:
    """`git_repository` of an application."""
    if "git_repository" in draft.config:
        git(draft, draft.config["git_repository"], "git_repository", (draft.before or {}).get("git_repository"))
    _docker_file(draft, draft.config, "")


def git(draft: Draft, given: dict[str, Any], path: str, before: Mapping[str, Any] | None) -> None:
    """A repository: its URL, provider, branch and root."""
    prefix = f"{draft.public_url.rstrip('/')}/git/"
    if given.get("provider") == "SLIPWAY" and given["url"] in ("", prefix):
        given["url"] = git_sources.built_in_url(draft.public_url, f"{draft.project_slug}/{draft.service_slug}")
    try:
        source = git_sources.parse(given["url"], draft.public_url, draft.allowed_hosts)
        _check_source(draft, source, given, path, before)
    except ValueError as error:
        draft.refuse(f"{path}.url", str(error))
    given["branch"] = given.get("branch") or "main"
    try:
        git_sources.check_branch(given["branch"])
    except ValueError as error:
        draft.refuse(f"{path}.branch", str(error))
    try:
        given["root_path"] = git_sources.clean_path(given.get("root_path") or "/")
    except ValueError as error:
        draft.refuse(f"{path}.root_path", str(error))


def _check_source(
    draft: Draft, source: git_sources.Source, given: dict[str, Any], path: str, before: Mapping[str, Any] | None
) -> None:
    given["owner"], given["name"] = source.owner, source.name
    if not source.built_in:
        if given["provider"] == "SLIPWAY":
            raise ValueError(f"must begin with {draft.public_url.rstrip('/')}/git/ for the built-in remote")
        return
    given["provider"] = "SLIPWAY"
    given["url"] = git_sources.built_in_url(draft.public_url, source.repository)
    if before is not None and before.get("provider") == "SLIPWAY":
        if before["url"] != given["url"]:
            raise ValueError("a built-in repository can't be renamed")
    elif source.owner != draft.project_slug:
        raise ValueError(f"built-in repositories of this project begin with {draft.project_slug}/")


def _docker_file(draft: Draft, config: dict[str, Any], path: str) -> None:
    if config.get("dockerfile_path"):
        try:
            config["dockerfile_path"] = git_sources.clean_path(config["dockerfile_path"]).removeprefix("/")
        except ValueError as error:
            draft.refuse(f"{path}dockerfile_path", str(error))
    stage = config.get("docker_target_build_stage")
    if stage and not WORD.fullmatch(stage):
        draft.refuse(f"{path}docker_target_build_stage", "is no name of a stage")


def own_image(draft: Draft) -> None:
    """The image of a container."""
    image(draft, draft.config, "")


def image(draft: Draft, given: Mapping[str, Any], path: str) -> None:
    if not IMAGE.fullmatch(given.get("image_name") or "") or len(given["image_name"]) > 255:
        draft.refuse(f"{path}image_name", "is no name of an image")
    if not TAG.fullmatch(given.get("tag") or ""):
        draft.refuse(f"{path}tag", "is no tag of an image")
    if not given.get("registry_id"):
        draft.refuse(f"{path}registry_id", "is needed")


def database(draft: Draft) -> None:
    config = draft.config
    known = DATABASE_VERSIONS[config["type"]]
    if config["version"] not in known:
        draft.refuse("version", f"must be one of {', '.join(known)}")
    if config["mode"] == "MANAGED":
        draft.refuse("mode", "databases of a cloud are not supported yet: use CONTAINER")
    for name in ("instance_type", "disk_type"):
        config.pop(name, None)
    if not 1 <= (config.get("storage") or 10) <= 65_536:
        draft.refuse("storage", "must be between 1 and 65536")


def job(draft: Draft) -> None:
    """One source, one kind of schedule."""
    source = {name: value for name, value in (draft.config.get("source") or {}).items() if value}
    draft.config["source"] = source
    if len(source) != 1:
        draft.refuse("source", "must be either image or docker")
    if "image" in source:
        image(draft, source["image"], "source.image.")
    if "docker" in source:
        _job_docker(draft, source["docker"])
    _schedule(draft, draft.config.get("schedule") or {})


def _job_docker(draft: Draft, docker: dict[str, Any]) -> None:
    if not docker.get("git_repository"):
        draft.refuse("source.docker.git_repository", "is needed")
        return
    before = ((draft.before or {}).get("source") or {}).get("docker") or {}
    git(draft, docker["git_repository"], "source.docker.git_repository", before.get("git_repository"))
    if docker["git_repository"].get("provider") == "SLIPWAY" and not before:
        draft.refuse("source.docker.git_repository.url", "jobs can't have a repository of their own here yet")
    _docker_file(draft, docker, "source.docker.")


def _schedule(draft: Draft, schedule: dict[str, Any]) -> None:
    events = [name for name in ("on_start", "on_stop", "on_delete") if schedule.get(name) is not None]
    cron = schedule.get("cronjob")
    if bool(events) == bool(cron):
        draft.refuse("schedule", "must be either a cronjob or at least one of on_start, on_stop, on_delete")
        return
    if cron is None:
        return
    cron["timezone"] = cron.get("timezone") or "Etc/UTC"
    check_zone(draft, "schedule.cronjob.timezone", cron["timezone"])
    try:
        CronSim(cron["scheduled_at"], _SOME_DAY)
    except CronSimError:
        draft.refuse("schedule.cronjob.scheduled_at", "is no cron expression of five parts")


def check_zone(draft: Draft, path: str, zone: str) -> None:
    try:
        if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", zone):
            raise ValueError(zone)
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        draft.refuse(path, "is no time zone such as Europe/Berlin")
