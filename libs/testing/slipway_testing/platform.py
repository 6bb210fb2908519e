"""A whole platform, driven as its users drive it: the `slipway` command, HTTP and git, nothing else.

End-to-end tests, chaos tests and benchmarks share this. It knows no module of the platform.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

REPOSITORY = Path(__file__).resolve().parents[3]
ENDED = ("DEPLOYED", "DEPLOYMENT_ERROR", "BUILD_ERROR", "CANCELED", "STOPPED", "STOP_ERROR", "DELETED", "DELETE_ERROR",
         "RESTARTED", "RESTART_ERROR")  # fmt: skip


class CommandFailed(AssertionError):
    """A command ended with another exit code than 0."""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    seconds: float


async def run(
    *argv: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    check: bool = True,
    timeout_seconds: float = 300,
) -> Ran:
    """Run a command to its end; `CommandFailed` with its output when it fails or takes too long."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        env=dict(env) if env is not None else None,
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_seconds):
            out, err = await process.communicate(stdin.encode() if stdin is not None else None)
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
        raise CommandFailed(f"{argv} took more than {timeout_seconds} s\n{out.decode()}\n{err.decode()}") from None
    ran = Ran(process.returncode or 0, out.decode(), err.decode(), time.monotonic() - began)
    if check and ran.code != 0:
        raise CommandFailed(f"{argv} ended with {ran.code}\n{ran.out}\n{ran.err}")
    return ran


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Platform:
    """One embedded platform below `home`, answering on `port`."""

    home: Path
    port: int = field(default_factory=free_port)
    script: Path = REPOSITORY / "slipway"
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    session: aiohttp.ClientSession = field(init=False)
    token: str = field(init=False, default="")
    organization_id: str = field(init=False, default="")

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def cli(self, *arguments: str, check: bool = True, timeout_seconds: float = 300, **more: Any) -> Ran:
        """`slipway <arguments>` against this platform."""
        env = self.env | {"SLIPWAY_HOME": str(self.home)}
        return await run(str(self.script), *arguments, env=env, check=check, timeout_seconds=timeout_seconds, **more)

    async def up(self, *options: str, timeout_seconds: float = 300) -> Ran:
        ran = await self.cli("up", "--detach", "--port", str(self.port), *options, timeout_seconds=timeout_seconds)
        await self.login()
        return ran

    async def down(self) -> Ran:
        return await self.cli("down", timeout_seconds=60)

    async def status(self) -> dict[str, Any]:
        return dict(json.loads((await self.cli("status", "--json")).out))

    async def login(self) -> None:
        """Take the API token that `up` keeps for the command line of this home."""
        status = await self.status()
        self.token = await asyncio.to_thread(lambda: Path(status["token_file"]).read_text().strip())
        self.organization_id = (await self.api("GET", "/organization"))["results"][0]["id"]

    async def pid(self, name: str) -> int:
        """The process id of one of the platform's processes."""
        return int((await self.status())["processes"][name]["pid"])

    async def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        pid = await self.pid(name)
        os.kill(pid, number)
        return pid

    async def api(self, method: str, path: str, body: Any = None, *, expect: int | None = None) -> Any:
        """Call the public API; an answer of 400 and above is an error unless it is the expected status."""
        async with self.session.request(
            method,
            f"http://127.0.0.1:{self.port}/api{path}",
            json=body,
            headers={"Authorization": f"Token {self.token}", "Host": f"localhost:{self.port}"},
        ) as answer:
            text = await answer.text()
            if expect is not None:
                assert answer.status == expect, f"{method} {path}: {answer.status} {text}"
            else:
                assert answer.status < 400, f"{method} {path}: {answer.status} {text}"
            return json.loads(text) if text else None

    async def page(self, label: str, path: str = "/") -> tuple[int, str]:
        """GET a page of the deployed service with this label."""
        async with self.session.get(
            f"http://127.0.0.1:{self.port}{path}", headers={"Host": f"{label}.localhost:{self.port}"}
        ) as answer:
            return answer.status, await answer.text()

    async def project(self, name: str, mode: str = "PRODUCTION") -> "Environment":
        """A new project with one environment on the local cluster."""
        cluster = (await self.api("GET", f"/organization/{self.organization_id}/cluster"))["results"][0]
        project = await self.api("POST", f"/organization/{self.organization_id}/project", {"name": name})
        environment = await self.api(
            "POST",
            f"/project/{project['id']}/environment",
            {"name": "production", "mode": mode, "cluster": cluster["id"]},
        )
        return Environment(self, name, project["id"], environment["id"])


@dataclass
class Environment:
    platform: Platform
    project: str
    project_id: str
    id: str

    async def application(self, name: str, files: Mapping[str, str], work: Path, **fields: Any) -> "Application":
        """A new application with a repository of its own at the built-in remote; nothing is pushed yet."""
        url = f"{self.platform.url}/git/{self.project}/{name}.git"
        body = {"name": name, "git_repository": {"url": url, "branch": "main", "provider": "SLIPWAY"}, **fields}
        body.setdefault("auto_deploy", True)
        body.setdefault("healthchecks", {})
        body.setdefault(
            "ports",
            [{"internal_port": 8000, "publicly_accessible": True, "protocol": "HTTP", "is_default": True, "name": "p"}],
        )
        created = await self.platform.api("POST", f"/environment/{self.id}/application", body)
        directory = work / name
        directory.mkdir(parents=True)
        await git(directory, "init", "-q", "-b", "main")
        remote = url.replace("http://", f"http://slipway:{self.platform.token}@")
        await git(directory, "remote", "add", "slipway", remote)
        application = Application(self, created["id"], name, directory)
        application.write(files)
        return application

    async def deployments(self) -> list[dict[str, Any]]:
        """Newest first."""
        history = await self.platform.api("GET", f"/environment/{self.id}/deploymentHistory")
        return list(history["results"])

    async def status(self) -> dict[str, Any]:
        return dict(await self.platform.api("GET", f"/environment/{self.id}/status"))


@dataclass
class Application:
    environment: Environment
    id: str
    name: str
    directory: Path

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    async def push(self, message: str = "change", *, check: bool = True) -> str:
        """Commit everything and push; the commit's id."""
        await git(self.directory, "add", "-A")
        await git(self.directory, "commit", "-q", "--allow-empty", "-m", message)
        await git(self.directory, "push", "-q", "slipway", "main", check=check)
        return (await git(self.directory, "rev-parse", "HEAD")).out.strip()

    async def rewire(self, platform: Platform) -> None:
        """Push to another platform from now on: the one that a backup was restored to."""
        self.environment.platform = platform
        url = (
            f"http://slipway:{platform.token}@localhost:{platform.port}/git/{self.environment.project}/{self.name}.git"
        )
        await git(self.directory, "remote", "set-url", "slipway", url)

    async def label(self) -> str:
        """The first part of the host name under which it answers."""
        links = await self.environment.platform.api("GET", f"/application/{self.id}/link")
        return str(links["results"][0]["url"]).split("://")[1].split(".")[0]

    async def deployed(self, commit: str, timeout_seconds: float = 120) -> dict[str, Any]:
        """Wait for the end of the deployment of this commit; the deployment, whatever it came to."""

        async def ended() -> dict[str, Any] | None:
            for deployment in await self.deployments():
                if deployment["commits"].get(self.id) == commit and deployment["ended_at"]:
                    return deployment
            return None

        return dict(await until(ended, timeout_seconds, f"the deployment of {self.name} at {commit[:8]}"))

    async def deployments(self) -> list[dict[str, Any]]:
        """The environment's deployments with their steps (our own, fuller shape), newest first."""
        results = await self.environment.platform.api("GET", f"/environment/{self.environment.id}/deployments")
        return list(results["results"])

    async def page(self, path: str = "/") -> tuple[int, str]:
        return await self.environment.platform.page(await self.label(), path)


async def git(directory: Path, *arguments: str, check: bool = True) -> Ran:
    """git, with an identity of its own and nothing of the machine's configuration."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }
    return await run("git", *arguments, cwd=directory, env=env, check=check, timeout_seconds=120)


async def until(condition: Any, timeout_seconds: float, what: str) -> Any:
    """The first true answer of an async condition, asked again and again until the limit."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {timeout_seconds} s")
        await asyncio.sleep(0.1)


def proportional_memory_bytes(pids: list[int]) -> int:
    """Sum of the processes' proportional set sizes (PSS)."""
    return sum(psutil.Process(pid).memory_full_info().pss for pid in pids if psutil.pid_exists(pid))


@asynccontextmanager
async def platform(home: Path, *options: str, script: Path = REPOSITORY / "slipway") -> AsyncIterator[Platform]:
    """A platform that runs for the length of the block."""
    one = Platform(home, script=script)
    async with aiohttp.ClientSession() as one.session:
        try:
            await one.up(*options)
            yield one
        finally:
            ended = await one.cli("down", check=False, timeout_seconds=90)
            if ended.code != 0:
                print(ended.out, ended.err, file=sys.stderr)  # noqa: T201  what a failing tear-down says
