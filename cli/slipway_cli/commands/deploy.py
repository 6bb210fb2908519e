"""deploy: put a service's newest commit, or a given one, into its environment; with --watch until it serves."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from cyclopts import Parameter

from slipway_cli import context, names
from slipway_cli.api import Client
from slipway_cli.centrifugo import Publication, Subscription
from slipway_cli.output import say, show_json
from slipway_cli.problems import FAILED, CommandFailed

AsJSON = Annotated[bool, Parameter(name="--json")]
SIGNS = {"SUCCEEDED": "✓", "FAILED": "✗", "RUNNING": "…", "CANCELED": "-", "SKIPPED": "-"}
GOOD = ("DEPLOYED", "RESTARTED", "STOPPED", "DELETED")


async def deploy(
    service: str,
    *,
    commit: str = "",
    watch: Annotated[bool, Parameter(name=["--watch", "-w"])] = False,
    as_json: AsJSON = False,
) -> int:
    """Deploy a service.

    Parameters
    ----------
    service
        Name, path (project/environment/name) or id.
    commit
        A commit's id (default: the newest one of the branch).
    watch
        Show every step until the end; exit code 1 when the deployment fails.
    """
    async with Client(context.current()) as client:
        found = await names.find_service(client, service)
        asked = await client.post(f"/application/{found.id}/deploy", {"git_commit_id": commit})
        deployment = await client.get(f"/deployment/{asked['deployment_request_id'] or asked['execution_id']}")
        if watch:
            deployment = await watch_deployment(client, deployment, quiet=as_json)
    if as_json:
        show_json(deployment)
    elif not watch:
        say(f"  deployment {deployment['number']} of {found.path} is on its way; --watch shows it")
    return FAILED if watch and deployment["status"] not in GOOD else 0


async def watch_deployment(client: Client, deployment: dict[str, Any], *, quiet: bool = False) -> dict[str, Any]:
    """Tell each step as it goes, until the deployment has ended; its last state."""
    teller = Teller(quiet)
    teller.tell(deployment)
    async with aclosing(_states(client, deployment["id"])) as states:
        async for state in states:
            teller.tell(state)
            if state.get("ended_at"):
                return state
    raise CommandFailed("The deployment is no longer told of: look at the console.", "deploy.lost")


async def _states(client: Client, deployment_id: str) -> AsyncGenerator[dict[str, Any], None]:
    async with aclosing(Subscription(client, f"deployment:{deployment_id}").follow()) as news:
        async for publication in news:
            if isinstance(publication, Publication):
                data = publication.data
                yield data.get("body") or data


class Teller:
    """Says what is new since the last state."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._told: dict[str, str] = {}

    def tell(self, deployment: dict[str, Any]) -> None:
        self._once("deployment", deployment.get("reason", ""), f"  {deployment.get('reason', '')}")
        for step in deployment.get("steps", []):
            state = step.get("state", "")
            if state in SIGNS:
                name = f"{step.get('kind', '')} {step.get('service_name', '')}".strip()
                text = f"  {SIGNS[state]} {name}: {step.get('message') or state.lower()}"
                self._once(step["id"], f"{state} {step.get('message', '')}", text)
                if state == "FAILED" and step.get("details"):
                    self._once(step["id"] + "details", "told", _indented(step["details"]))
        if deployment.get("ended_at"):
            self._once("end", deployment["status"], f"  deployment {deployment['number']}: {deployment['status']}")

    def _once(self, key: str, state: str, text: str) -> None:
        if state and self._told.get(key) != state and not self._quiet:
            say(text)
        self._told[key] = state


def _indented(text: str) -> str:
    return "\n".join(f"      {line}" for line in text.splitlines())
