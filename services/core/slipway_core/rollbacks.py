"""What a release that is gone back to runs with: its variables of then, secrets of now. Pure.

Secrets are changed because the old ones must not be used any more, so an old one comes back only when it is asked for
by name. What Slipway itself brings (host names …) is always of now.
"""

from collections.abc import Iterable, Mapping

from slipway_core.variables import RESERVED, Effective


def kept_with_a_release(variables: Iterable[Effective]) -> list[Effective]:
    """What is written down of the variables that a release goes out with."""
    return [one for one in variables if not one.key.startswith(RESERVED)]


def variables(then: Iterable[Effective], now: Iterable[Effective], old_secrets: Iterable[str]) -> list[Effective]:
    """What the release gets. A secret that was deleted since is left out, unless it is asked for by name."""
    present = {one.key: one for one in now}
    asked = frozenset(old_secrets)
    found = {one.key: one for one in present.values() if one.key.startswith(RESERVED)}
    for one in then:
        if not one.is_secret or one.key in asked:
            found[one.key] = one
        elif one.key in present:
            found[one.key] = present[one.key]
    return [found[key] for key in sorted(found)]


def digests(
    then: Mapping[str, str], now: Mapping[str, str], secrets: Iterable[str], old_secrets: Iterable[str]
) -> dict[str, str]:
    """The same for digests: what the planner compares."""
    of_now = frozenset(secrets) - frozenset(old_secrets)
    found = {key: digest for key, digest in then.items() if key not in of_now}
    return found | {key: now[key] for key in of_now if key in now}


def lost(then: Iterable[Effective], now: Iterable[str], old_secrets: Iterable[str]) -> list[str]:
    """Secrets that the release had, that were deleted since, and that were not asked for."""
    present, asked = frozenset(now), frozenset(old_secrets)
    return sorted(one.key for one in then if one.is_secret and one.key not in present and one.key not in asked)
