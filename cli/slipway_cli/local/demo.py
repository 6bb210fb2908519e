"""The demo: a project with small real applications, made through the public API and pushed as anybody pushes.

Made once per home. Each application is its own Git repository, pushed to the built-in remote with the API token.
"""

import asyncio
import base64
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from slipway_cli.api import Client
from slipway_cli.context import of_home
from slipway_cli.local.home import REPOSITORY, Home
from slipway_cli.local.progress import Progress
from slipway_cli.names import organization_id
from slipway_cli.problems import CommandFailed
from slipway_embedded.processes import write_private

PROJECT, ENVIRONMENT = "demo", "production"
DEPLOY_TIMEOUT_SECONDS = 300
GIT_TIMEOUT_SECONDS = 60


@dataclass
class DemoService:
    """One application of the demo: `demo/<name>` in the repository."""

    name: str
    body: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    url: str = ""

    @property
    def directory(self) -> Path:
        return REPOSITORY / "demo" / self.name


def demo_services() -> list[DemoService]:
    health = {
        "readiness_probe": {
            "type": {"http": {"port": 8000, "path": "/health", "scheme": "HTTP"}},
            "initial_delay_seconds": 0,
            "period_seconds": 2,
            "timeout_seconds": 2,
            "success_threshold": 1,
            "failure_threshold": 3,
        }
    }
    return [DemoService("web", {"healthchecks": health}), DemoService("api", {"healthchecks": health})]


def demo_address(home: Home) -> str | None:
    """Where the demo's web application answers, once it was made."""
    try:
        host = str(json.loads(home.demo_file.read_text())["web"])
    except (OSError, ValueError, KeyError):
        return None
    return f"http://{host}:{home.ports()['caddy']}"


async def deploy_demo(home: Home, progress: Progress) -> None:
    """Make, push and watch it; nothing when this home has had it."""
    services = demo_services()
    if home.demo_file.exists() or not all(service.directory.is_dir() for service in services):
        return
    async with Client(of_home(home)) as client:
        async with progress.step("demo project, pushed to the built-in remote"):
            environment = await _create(client, services)
            async with asyncio.TaskGroup() as group:
                for service in services:
                    group.create_task(_push(client, service))
        async with asyncio.TaskGroup() as group:
            for service in services:
                group.create_task(_watch(client, environment, service, progress))
    hosts = {service.name: urlsplit(service.url).hostname for service in services}
    write_private(home.demo_file, json.dumps(hosts | {"environment_id": environment}) + "\n")


async def _create(client: Client, services: list[DemoService]) -> str:
    """The project with its services, or what an interrupted start has made of it; the environment's id."""
    organization = await organization_id(client)
    project = await _ensure(client, f"/organization/{organization}/project", {"name": PROJECT})
    clusters = await client.results(f"/organization/{organization}/cluster")
    body = {"name": ENVIRONMENT, "mode": "PRODUCTION", "cluster": clusters[0]["id"]}
    environment = await _ensure(client, f"/project/{project['id']}/environment", body)
    for service in services:
        made = await _ensure(client, f"/environment/{environment['id']}/application", _application(client, service))
        service.id = made["id"]
        links = await client.results(f"/application/{service.id}/link")
        service.url = str(links[0]["url"]) if links else ""
    return str(environment["id"])


def _application(client: Client, service: DemoService) -> dict[str, Any]:
    url = f"{client.context.url}/git/{PROJECT}/{service.name}.git"
    port = {"internal_port": 8000, "publicly_accessible": True, "protocol": "HTTP", "is_default": True, "name": "web"}
    return {
        "name": service.name,
        "git_repository": {"url": url, "branch": "main", "provider": "SLIPWAY"},
        "auto_deploy": True,
        "ports": [port],
        **service.body,
    }


async def _ensure(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The one of this name, made when it isn't there."""
    for existing in await client.results(path):
        if existing["name"] == body["name"]:
            return existing
    return dict(await client.post(path, body))


async def _push(client: Client, service: DemoService) -> None:
    """Commit the directory as it is and push it to `main`."""
    with tempfile.TemporaryDirectory(prefix="slipway-demo-") as scratch:
        work = Path(scratch) / service.name
        await asyncio.to_thread(
            shutil.copytree, service.directory, work, ignore=shutil.ignore_patterns("node_modules", "__pycache__")
        )
        await _git(work, "init", "--quiet", "--initial-branch=main")
        await _git(work, "add", "--all")
        await _git(work, "commit", "--quiet", "--message=The demo")
        url = f"{client.context.url}/git/{PROJECT}/{service.name}.git"
        await _git(work, "push", "--quiet", "--force", url, "main", token=client.context.authorization.split(" ", 1)[1])


async def _git(directory: Path, *arguments: str, token: str = "") -> None:
    """Run git with an identity of its own; the token travels in the environment, never in an argument."""
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=directory,
        env=_git_environment(directory, token),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(GIT_TIMEOUT_SECONDS):
            said, _ = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise CommandFailed(f"git {arguments[0]} failed: {last}", "demo.git")


def _git_environment(directory: Path, token: str) -> dict[str, str]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Slipway demo",
        "GIT_AUTHOR_EMAIL": "demo@slipway.localhost",
        "GIT_COMMITTER_NAME": "Slipway demo",
        "GIT_COMMITTER_EMAIL": "demo@slipway.localhost",
    }
    if token:
        basic = base64.b64encode(f"slipway:{token}".encode()).decode()
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        }
    return environment


async def _watch(client: Client, environment: str, service: DemoService, progress: Progress) -> None:
    """Until the service's first deployment has ended."""
    async with asyncio.timeout(DEPLOY_TIMEOUT_SECONDS), progress.step(f"demo {service.name}: built and served"):
        while True:
            deployments = await client.results(f"/environment/{environment}/deployments")
            own = [each for each in deployments if service.id in each.get("commits", {})]
            if any(each["status"] == "DEPLOYED" for each in own):
                return
            if own and all(each.get("ended_at") for each in own):
                raise CommandFailed(f"{service.name}: {own[0].get('reason') or own[0]['status']}", "demo.failed")
            await asyncio.sleep(0.3)
