"""What a cluster can run, as its engine says in its hello. Words that core doesn't know mean nothing to it."""

from collections.abc import Iterable

CONTAINER = "container"
"""Images from registries."""
JOB = "job"
"""Programs that run to their end."""
DATABASE = "database"


def database(type: str, mode: str, version: str) -> str:
    """One database that it can run: `database.POSTGRESQL.CONTAINER.18`."""
    return f"{DATABASE}.{type}.{mode}.{version}"


def databases(capabilities: Iterable[str]) -> list[tuple[str, str, str]]:
    """(type, mode, version) of all that it can run."""
    parts = [one.split(".", 3) for one in capabilities]
    return [(one[1], one[2], one[3]) for one in parts if len(one) == 4 and one[0] == DATABASE]
