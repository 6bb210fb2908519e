"""What a deployment changes at a service, for people to read before it runs: never a value of a variable. Pure."""

from typing import Any

import msgspec

from slipway_contracts.specs import ServiceSpec

AREAS = {
    "image": "image",
    "cpu_milli": "resources",
    "memory_mib": "resources",
    "min_instances": "replicas",
    "max_instances": "replicas",
    "ports": "network",
    "hostnames": "network",
    "label": "network",
    "readiness": "health",
    "liveness": "health",
}
"""What a setting is about, where it isn't just a setting."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment changes at one service; never a value of a variable."""

    what: str
    """commit, variable, or the name of the setting."""
    name: str = ""
    area: str = ""
    """What it is about, for people: commit, image, variables, resources, replicas, network, health, settings."""
    before: Any = None
    after: Any = None


def changes(
    spec: ServiceSpec, variables: dict[str, str], before: ServiceSpec | None, old_variables: dict[str, str]
) -> list[Change]:
    """What a deployment of this spec would change, setting by setting and variable by variable."""
    found = [] if before is None else list(_setting_changes(before, spec))
    if before is None or before.git != spec.git:
        found.insert(0, Change(what="commit", area="commit", before=_commit(before), after=_commit(spec)))
    found.extend(_variable_changes(old_variables, variables))
    return found


def _commit(spec: ServiceSpec | None) -> str | None:
    return spec.git.commit if spec is not None and spec.git is not None else None


def _setting_changes(before: ServiceSpec, after: ServiceSpec) -> list[Change]:
    old, new = (_settings(spec) for spec in (before, after))
    return [
        Change(what=name, area=AREAS.get(name, "settings"), before=old.get(name), after=new.get(name))
        for name in sorted(set(old) | set(new))
        if old.get(name) != new.get(name)
    ]


def _settings(spec: ServiceSpec) -> dict[str, Any]:
    """By name; advanced settings beside the others."""
    fields = {name: msgspec.to_builtins(getattr(spec, name)) for name in spec.__struct_fields__ if name != "git"}
    advanced: dict[str, Any] = fields.pop("settings")
    return advanced | fields


def _variable_changes(before: dict[str, str], after: dict[str, str]) -> list[Change]:
    found = []
    for name in sorted(set(before) | set(after)):
        if before.get(name) != after.get(name):
            how = "added" if name not in before else "removed" if name not in after else "changed"
            found.append(Change(what="variable", name=name, area="variables", after=how))
    return found
