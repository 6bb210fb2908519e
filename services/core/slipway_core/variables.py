"""What a service really gets: scopes, overrides, aliases, interpolation. Pure.

A narrower scope wins over a broader one, key by key. An alias has the effective value of the key that it names;
`{{NAME}}` in a value is replaced by the effective value of NAME. Whatever contains a secret is a secret.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from slipway_core.problems import UnknownVariable, ValueTooLarge, VariableCycle

SCOPES = ("BUILT_IN", "PROJECT", "ENVIRONMENT", "SERVICE")
"""Broadest first."""
KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
RESERVED = ("QOVERY_", "SLIPWAY_", "__")
MENTION = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
MAX_VALUE_BYTES = 1024 * 1024
"""Interpolation can multiply: nothing grows beyond this."""


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A variable as it was written, in plain text."""

    id: str
    scope: str
    """BUILT_IN, PROJECT, ENVIRONMENT, SERVICE."""
    key: str
    value: str = ""
    type: str = "VALUE"
    """VALUE, ALIAS, OVERRIDE, FILE, BUILT_IN."""
    target_key: str | None = None
    """Aliases: the key whose value they have."""
    is_secret: bool = False
    mount_path: str | None = None
    interpolate: bool = True
    """Files are interpolated only when asked for."""


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """A variable as the service sees it."""

    key: str
    value: str
    is_secret: bool
    mount_path: str | None = None


def visible(variables: Iterable[Variable]) -> dict[str, Variable]:
    """For each key the variable of the narrowest scope."""
    found: dict[str, Variable] = {}
    for variable in variables:
        other = found.get(variable.key)
        if other is None or SCOPES.index(variable.scope) >= SCOPES.index(other.scope):
            found[variable.key] = variable
    return found


def resolve(variables: Iterable[Variable]) -> list[Effective]:
    """The effective variables, by key. Raises UnknownVariable or VariableCycle with the path that leads to it."""
    known = visible(variables)
    done: dict[str, Effective] = {}
    for key in sorted(known):
        _resolve(key, known, done, [])
    return [done[key] for key in sorted(done)]


def check(key: str, variables: Iterable[Variable], elsewhere: frozenset[str] = frozenset()) -> None:
    """Refuse what `key` leads to when it is unknown or a circle. `elsewhere`: keys that narrower scopes will bring."""
    known = visible(variables)
    for name in elsewhere - known.keys():
        known[name] = Variable(id="", scope="SERVICE", key=name)
    _resolve(key, known, {}, [])


def without(variables: Iterable[Variable], missing: frozenset[str]) -> list[Variable]:
    """The variables that can do without the missing keys, whatever leads to them."""
    left = list(variables)
    while unresolved := {one.key for one in left if mentions(one) & missing}:
        missing |= unresolved
        left = [one for one in left if one.key not in missing]
    return left


def mentions(variable: Variable) -> set[str]:
    """The keys that a variable needs."""
    if variable.type == "ALIAS" and variable.target_key:
        return {variable.target_key}
    return set(MENTION.findall(variable.value)) if variable.interpolate else set()


def _resolve(key: str, known: Mapping[str, Variable], done: dict[str, Effective], path: list[str]) -> Effective:
    if key in done:
        return done[key]
    if key in path:
        raise VariableCycle([*path[path.index(key) :], key])
    if key not in known:
        raise UnknownVariable(key, path)
    if len(path) > 50:
        raise VariableCycle([*path, key])
    variable = known[key]
    inner = [*path, key]
    if variable.type == "ALIAS" and variable.target_key:
        target = _resolve(variable.target_key, known, done, inner)
        done[key] = msgspec.structs.replace(target, key=key, mount_path=variable.mount_path or target.mount_path)
        return done[key]
    parts = {name: _resolve(name, known, done, inner) for name in sorted(mentions(variable))}
    done[key] = Effective(
        key=key,
        value=_filled(variable, parts),
        is_secret=variable.is_secret or any(part.is_secret for part in parts.values()),
        mount_path=variable.mount_path,
    )
    return done[key]


def _filled(variable: Variable, parts: Mapping[str, Effective]) -> str:
    if not parts:
        return variable.value
    size = len(variable.value) + sum(len(parts[name].value) for name in MENTION.findall(variable.value))
    if size > MAX_VALUE_BYTES:
        raise ValueTooLarge(f"{variable.key} grows beyond {MAX_VALUE_BYTES} bytes.")
    return MENTION.sub(lambda found: parts[found[1]].value, variable.value)
