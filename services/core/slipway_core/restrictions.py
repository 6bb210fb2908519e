"""Deployment restrictions: does a push touch what a service is about? Pure."""

from collections.abc import Iterable, Sequence

from slipway_core.stores.domains import Restriction


def allows(paths: Sequence[str] | None, restrictions: Iterable[Restriction]) -> bool:
    """Whether a commit that changed these paths deploys the service. Paths that nobody told may be any."""
    listed = list(restrictions)
    if paths is None or not listed:
        return True
    matching = [one.value for one in listed if one.mode == "MATCH"]
    excluded = [one.value for one in listed if one.mode == "EXCLUDE"]
    return any(_counts(path, matching, excluded) for path in paths)


def _counts(path: str, matching: Sequence[str], excluded: Sequence[str]) -> bool:
    if any(_below(path, prefix) for prefix in excluded):
        return False
    return not matching or any(_below(path, prefix) for prefix in matching)


def _below(path: str, prefix: str) -> bool:
    """`docs` and `docs/` mean the folder; `src/ma` is a beginning of names, too."""
    return path.startswith(prefix)
