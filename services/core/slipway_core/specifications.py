"""From a service as users configured it to what an engine needs to know of it. Pure."""

from collections.abc import Sequence
from typing import Any

from slipway_contracts import specs
from slipway_contracts.specs import (
    DatabaseSpec,
    GitSource,
    ImageSource,
    JobCommand,
    JobEvent,
    JobSpec,
    ServiceKind,
    ServiceSpec,
)
from slipway_core.kinds import BY_NAME
from slipway_core.stores.services import Service

BUILD_TIMEOUT = "build.timeout_max_sec"
START_TIMEOUT = "deployment.start_timeout_seconds"
STOP_GRACE = "deployment.termination_grace_period_seconds"


def git_of(config: dict[str, Any]) -> dict[str, Any] | None:
    """The Git source of a service's configuration, if it has one (jobs keep it deeper)."""
    source = config.get("git_repository")
    if not source:
        source = ((config.get("source") or {}).get("docker") or {}).get("git_repository")
    return source or None


def branch_of(git: dict[str, Any]) -> str:
    return git.get("branch") or "main"


def specification(service: Service, commit: str, domain: str, further: Sequence[str] = ()) -> ServiceSpec:
    """The desired state of a service at a commit (empty for kinds without Git). `further`: its custom domains."""
    config = service.config
    return ServiceSpec(
        id=service.id,
        kind=ServiceKind(service.kind),
        name=service.name,
        label=service.label,
        hostnames=[f"{service.label}.{domain}", *further],
        git=_git(config, commit),
        image=image_of(config),
        **_docker(config),
        entrypoint=config.get("entrypoint") or "",
        arguments=config.get("arguments") or [],
        ports=[_port(port) for port in config.get("ports") or []],
        readiness=_probe((config.get("healthchecks") or {}).get("readiness_probe")),
        liveness=_probe((config.get("healthchecks") or {}).get("liveness_probe")),
        **_sizes(config),
        **_times(dict(BY_NAME[service.kind].advanced) | service.advanced),
        settings=service.advanced,
        database=_database(config) if service.kind == ServiceKind.DATABASE else None,
        job=_job(config) if service.kind == ServiceKind.JOB else None,
    )


def _git(config: dict[str, Any], commit: str) -> GitSource | None:
    git = git_of(config)
    if git is None:
        return None
    return GitSource(url=git["url"], branch=branch_of(git), commit=commit, root_path=git.get("root_path") or "/")


def _docker(config: dict[str, Any]) -> dict[str, Any]:
    """What is said of a Dockerfile (jobs keep it deeper)."""
    source = (config.get("source") or {}).get("docker") or config
    path = source.get("dockerfile_path") or ""
    return {
        "build_mode": "DOCKER" if path else "AUTO",
        "dockerfile_path": path,
        "docker_target": source.get("docker_target_build_stage") or "",
    }


def image_of(config: dict[str, Any]) -> ImageSource | None:
    """The image of a service's configuration, if it comes from one."""
    source = config if config.get("image_name") else (config.get("source") or {}).get("image") or {}
    if not source.get("image_name"):
        return None
    return ImageSource(
        registry_id=source.get("registry_id") or "", name=source["image_name"], tag=source.get("tag") or "latest"
    )


def _port(port: dict[str, Any]) -> specs.Port:
    return specs.Port(
        id=port.get("id") or "",
        internal_port=port["internal_port"],
        external_port=port.get("external_port"),
        name=port.get("name") or "",
        protocol=port.get("protocol") or "HTTP",
        publicly_accessible=port.get("publicly_accessible", True),
        is_default=bool(port.get("is_default")),
    )


PROBE_TIMES = (
    "initial_delay_seconds",
    "period_seconds",
    "timeout_seconds",
    "success_threshold",
    "failure_threshold",
)


def _probe(probe: dict[str, Any] | None) -> specs.Probe | None:
    kinds = {kind: details for kind, details in ((probe or {}).get("type") or {}).items() if details}
    if probe is None or not kinds:
        return None
    kind, details = next(iter(kinds.items()))
    return specs.Probe(
        type=kind,
        port=details.get("port"),
        path=details.get("path") or "/",
        command=details.get("command") or [],
        **{name: probe[name] for name in PROBE_TIMES if probe.get(name) is not None},
    )


def _database(config: dict[str, Any]) -> DatabaseSpec:
    return DatabaseSpec(
        type=config["type"],
        version=config["version"],
        mode=config["mode"],
        accessibility=config.get("accessibility") or "PRIVATE",
        storage_gib=config.get("storage") or 10,
    )


EVENTS = {
    "on_start": JobEvent.START,
    "on_stop": JobEvent.STOP,
    "on_delete": JobEvent.DELETE,
    "cronjob": JobEvent.CRON,
}
"""When a job runs, as the public API names it and as engines do."""
RUN_SPARE_SECONDS = 60.0


def _job(config: dict[str, Any]) -> JobSpec:
    schedule = config.get("schedule") or {}
    cron = schedule.get("cronjob") or {}
    given = {event: schedule[name] for name, event in EVENTS.items() if schedule.get(name) is not None}
    return JobSpec(
        commands={
            event: JobCommand(entrypoint=one.get("entrypoint") or "", arguments=one.get("arguments") or [])
            for event, one in given.items()
        },
        cron=cron.get("scheduled_at") or "",
        timezone=cron.get("timezone") or "UTC",
        max_restarts=config.get("max_nb_restart") or 0,
        max_duration_seconds=config.get("max_duration_seconds") or 3600,
    )


def run_limit_seconds(spec: ServiceSpec) -> float:
    """How long a run of a job may take, with all its attempts."""
    job = spec.job or JobSpec()
    return RUN_SPARE_SECONDS + (job.max_duration_seconds + spec.stop_grace_seconds) * (job.max_restarts + 1)


def _sizes(config: dict[str, Any]) -> dict[str, Any]:
    names = {
        "min_instances": "min_running_instances",
        "max_instances": "max_running_instances",
        "cpu_milli": "cpu",
        "memory_mib": "memory",
    }
    return {ours: config[theirs] for ours, theirs in names.items() if config.get(theirs) is not None}


def _times(advanced: dict[str, Any]) -> dict[str, Any]:
    names = {"start_timeout_seconds": START_TIMEOUT, "stop_grace_seconds": STOP_GRACE}
    return {ours: advanced[theirs] for ours, theirs in names.items() if advanced.get(theirs) is not None}


def build_limit_seconds(spec: ServiceSpec) -> float | None:
    """How long its build may take, where its users said so."""
    value = spec.settings.get(BUILD_TIMEOUT)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
