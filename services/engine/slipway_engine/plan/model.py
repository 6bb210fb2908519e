"""What a build plan is: data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class StartKind(StrEnum):
    SHELL = "shell"
    """The application's own line (Procfile, package.json), run by /bin/sh inside its sandbox."""
    COMMAND = "command"
    """Arguments as they are; `$PORT` in them is replaced."""
    STATIC = "static"
    """A folder, served by Caddy."""
    CONTAINER = "container"


@dataclass(frozen=True)
class Start:
    kind: StartKind
    command: tuple[str, ...]


@dataclass(frozen=True)
class Install:
    """Dependencies of one kind. With the same files, tool and interpreter the result is the same: a layer."""

    tool: str
    """pip, uv, poetry, npm, pnpm, yarn, yarn-berry."""
    files: tuple[str, ...]
    """Names of the files that say what is installed; only they are there while it is."""
    requirements: tuple[str, ...] = ()
    """pip: the lines of a requirements file that we write ourselves."""
    complete: bool = False
    """The requirements name everything, dependencies of dependencies included."""
    whole_source: bool = False
    """The installation needs the whole repository: no layer is shared, it belongs to one artifact."""
    tool_version: str = ""


@dataclass(frozen=True)
class BuildPlan:
    language: str
    installs: tuple[Install, ...] = ()
    build_commands: tuple[str, ...] = ()
    """Run in order by /bin/sh in the sandbox, after the installs."""
    start: Start | None = None
    static_output: tuple[str, ...] = ()
    """Folders that the build may produce, to be served when there is no start command."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """For build and run; the service's variables win."""
    dockerfile: str = ""
    hides_dotfiles: bool = False

    def replaced(self, **changes: Any) -> "BuildPlan":
        return replace(self, **changes)
