"""The kinds of service, told apart by data: adding one is an entry here, its own fields and its own rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from slipway_core import service_rules as rules
from slipway_core.api import answers, bodies
from slipway_core.api.defaults import DEFAULTS
from slipway_core.service_rules import Rule

SIZES: tuple[Rule, ...] = (
    rules.between("cpu", 10, rules.MAXIMUM_CPU),
    rules.between("memory", 16, rules.MAXIMUM_MEMORY),
    rules.not_yet("gpu", "ephemeral_storage_in_gib", "storage", "autoscaling", "annotations_groups", "labels_groups"),
)
SERVED: tuple[Rule, ...] = (rules.instances, rules.ports, rules.healthchecks)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What makes a kind of service its own."""

    name: str
    path: str
    """In paths: `/application/{applicationId}`."""
    create: type[msgspec.Struct]
    edit: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    answers: type[msgspec.Struct]
    rules: tuple[Rule, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    advanced_body: type[msgspec.Struct] | None = None
    advanced_answer: type[msgspec.Struct] | None = None
    advanced: Mapping[str, Any] = field(default_factory=dict)
    """Advanced settings and their defaults."""
    fixed: tuple[str, ...] = ()
    """Fields that stay as they were made."""

    @property
    def param(self) -> str:
        return f"{self.path}Id"


ADVANCED: dict[str, Any] = {
    "build.timeout_max_sec": 1800,
    "deployment.termination_grace_period_seconds": 60,
    "security.read_only_root_filesystem": False,
}
NETWORKED: dict[str, Any] = {**ADVANCED, "network.ingress.proxy_body_size_mb": 100}


APPLICATION = Kind(
    name="APPLICATION",
    path="application",
    create=bodies.ApplicationRequest,
    edit=bodies.ApplicationEditRequest,
    answer=answers.Application,
    answers=answers.ApplicationResponseList,
    rules=(*SIZES, *SERVED, rules.own_git),
    defaults=DEFAULTS["ApplicationRequest"] | {"auto_preview": False},
    advanced_body=bodies.ApplicationAdvancedSettings,
    advanced_answer=answers.ApplicationAdvancedSettings,
    advanced=NETWORKED,
)
CONTAINER = Kind(
    name="CONTAINER",
    path="container",
    create=bodies.ContainerRequest,
    edit=bodies.ContainerRequest,
    answer=answers.ContainerResponse,
    answers=answers.ContainerResponseList,
    rules=(*SIZES, *SERVED, rules.own_image),
    defaults=DEFAULTS["ContainerRequest"] | {"auto_preview": False},
    advanced_body=bodies.ContainerAdvancedSettings,
    advanced_answer=answers.ContainerAdvancedSettings,
    advanced=NETWORKED,
)
DATABASE = Kind(
    name="DATABASE",
    path="database",
    create=bodies.DatabaseRequest,
    edit=bodies.DatabaseEditRequest,
    answer=answers.Database,
    answers=answers.DatabaseResponseList,
    rules=(
        rules.between("cpu", 10, rules.MAXIMUM_CPU),
        rules.between("memory", 16, rules.MAXIMUM_MEMORY),
        rules.not_yet("annotations_groups", "labels_groups"),
        rules.database,
    ),
    defaults={**DEFAULTS["DatabaseRequest"], "memory": 256, "accessibility": "PRIVATE"},
    fixed=("type", "mode"),
)
JOB = Kind(
    name="JOB",
    path="job",
    create=bodies.JobRequest,
    edit=bodies.JobRequest,
    answer=answers.JobResponse,
    answers=answers.JobResponseList,
    rules=(*SIZES, rules.healthchecks, rules.job),
    defaults={**DEFAULTS["JobRequest"], "max_duration_seconds": 3600, "auto_preview": False},
    advanced_body=bodies.JobAdvancedSettings,
    advanced_answer=answers.JobAdvancedSettings,
    advanced=ADVANCED,
)
KINDS = (APPLICATION, CONTAINER, DATABASE, JOB)
BY_NAME = {kind.name: kind for kind in KINDS}
