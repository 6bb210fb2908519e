"""The `slipway` command: every verb, loaded when it is used, and one place where commands end."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any

from slipway_cli.problems import FAILED, USAGE, CommandFailed
from slipway_errors import Fault

COMMANDS = {
    "up": ("platform:up", "Start the platform on this machine, deploy the demo, and stay until Ctrl-C."),
    "down": ("platform:down", "Stop the platform, workloads too. The data stays."),
    "status": ("platform:status", "Show the platform's processes and addresses."),
    "backup": ("saving:backup", "Save the whole platform to one encrypted file."),
    "restore": ("saving:restore", "Bring a platform back from a backup."),
    "login": ("login:login", "Log in to a Slipway; later commands go there."),
    "logout": ("login:logout", "Forget the login."),
    "projects": ("services:projects", "List projects and their environments."),
    "services": ("services:services", "List services with what they do now, and where they answer."),
    "open": ("services:open_service", "Open a service, or the console, in the browser."),
    "deploy": ("deploy:deploy", "Deploy a service; --watch shows every step."),
    "logs": ("logs:logs", "Show the log of a service; -f goes on with what comes."),
    "schedules": ("schedules:schedules", "List what is due in an environment, and what came of it."),
    "shell": ("shell:shell", "Open a terminal beside a service, with its environment."),
}
GROUPS = {
    "env": (
        "Variables of a service.",
        {
            "set": ("variables:set_variables", "Set variables; the next deployment takes them."),
            "list": ("variables:list_variables", "List variables; values of secrets are never shown."),
        },
    ),
    "keys": (
        "Keys of what the platform keeps encrypted.",
        {"rotate": ("keys:rotate_keys", "Change all data keys, or with --master the master key, while serving.")},
    ),
    "dead": (
        "Messages that were given up.",
        {
            "list": ("dead:list_dead", "List them, with the reason."),
            "replay": ("dead:replay_dead", "Send one once more, to where it came from."),
        },
    ),
}
TOOLS = ("test", "lint", "bench")


def main(arguments: list[str] | None = None) -> None:
    """Run a command and end the process with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        sys.exit(_run(arguments))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)


def _run(arguments: list[str]) -> int:
    if arguments and arguments[0] in TOOLS:
        from slipway_cli.commands.tools import run_tool

        return run_tool(arguments[0], arguments[1:])
    try:
        result = _app()(arguments, exit_on_error=False, print_error=True, result_action="return_value")
        if asyncio.iscoroutine(result):
            result = asyncio.run(_awaited(result))
    except BrokenPipeError:
        raise
    except Exception as error:
        return _failed(error, as_json="--json" in arguments)
    return result if isinstance(result, int) else 0


async def _awaited(work: Coroutine[Any, Any, Any]) -> Any:
    return await work


def _app() -> Any:
    import cyclopts

    app = cyclopts.App(name="slipway", help="From a git push to a running environment.", version=_version)
    for name, (where, help) in COMMANDS.items():
        app.command(f"slipway_cli.commands.{where}", name=name, help=help)
    for name, (text, verbs) in GROUPS.items():
        group = cyclopts.App(name=name, help=text)
        for verb, (where, help) in verbs.items():
            group.command(f"slipway_cli.commands.{where}", name=verb, help=help)
        app.command(group)
    for name, text in (("test", "Run all tests."), ("lint", "Check the code."), ("bench", "Run the benchmarks.")):
        app.command(_named(name, text), name=name)
    return app


def _version() -> str:
    """Of the installed distribution, or of the checkout."""
    from importlib import metadata

    try:
        return metadata.version("slipway")
    except metadata.PackageNotFoundError:
        import tomllib

        from slipway_cli.local.home import REPOSITORY

        return str(tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"])


def _named(name: str, text: str) -> Any:
    """A tool in the list of commands; it is run before this is asked."""

    def tool() -> int:
        from slipway_cli.commands.tools import run_tool

        return run_tool(name, [])

    tool.__doc__ = text
    return tool


def _failed(error: Exception, *, as_json: bool) -> int:
    """One sentence, or one JSON object, on stderr; the exit code."""
    import cyclopts

    if isinstance(error, cyclopts.CycloptsError):
        return USAGE
    if isinstance(error, ExceptionGroup):
        error = _first(error)
    if isinstance(error, Fault):
        error = CommandFailed.of(error)
    if isinstance(error, OSError) and error.errno:
        where = f"{error.filename}: " if error.filename else ""
        error = CommandFailed(f"{where}{error.strerror}", "system", FAILED)
    if not isinstance(error, CommandFailed):
        raise error
    if as_json:
        import json

        print(json.dumps({"error": {"code": error.code, "detail": error.detail}}), file=sys.stderr)
    else:
        print(f"slipway: {error.detail} [{error.code}]", file=sys.stderr)
    return error.exit_code


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """What several things that ran side by side failed of: the first that says something."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


if __name__ == "__main__":
    main()
