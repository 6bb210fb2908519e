"""Running git: never through a shell, with nothing of the machine's or user's configuration, every wait limited."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from slipway_git.problems import GitFailed

COMMAND_SECONDS = 60.0


def git_binary() -> str:
    """The absolute path of git."""
    found = shutil.which("git")
    if found is None:
        raise GitFailed("There is no git on this machine's PATH: install it, then start again.")
    return found


def git_environment(home: Path, config: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a git process: `config` is in force as if given on its command line."""
    environment = {
        "PATH": f"{Path(git_binary()).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CONFIG_COUNT": str(len(config)),
    }
    for number, (key, value) in enumerate(config.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


async def git(
    *arguments: str, cwd: Path, env: Mapping[str, str], limit_bytes: int = 16 * 1024 * 1024, ok: tuple[int, ...] = (0,)
) -> tuple[int, bytes]:
    """Exit code and output of one short git command; GitFailed when it ends otherwise than `ok` or takes too long."""
    process = await asyncio.create_subprocess_exec(
        git_binary(),
        *arguments,
        cwd=cwd,
        env=dict(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            output = await process.stdout.read(limit_bytes)
            if not process.stdout.at_eof():
                await process.stdout.read(1)
                end(process)
            code = await process.wait()
    except TimeoutError:
        raise GitFailed(f"git {arguments[0]} took more than {COMMAND_SECONDS:.0f} s.") from None
    finally:
        end(process)
    if code not in ok and len(output) < limit_bytes:
        raise GitFailed(f"git {arguments[0]} ended with {code}.")
    return code, output


def end(process: asyncio.subprocess.Process) -> None:
    """End a process and its children, if it is still there."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
