"""After a restore: deploy what ran, in the version that ran. Programs' files are of the machine, not of the backup."""

import asyncio
from typing import Any

from slipway_cli.api import Client
from slipway_cli.context import Context
from slipway_cli.names import Service, services
from slipway_cli.problems import CommandFailed

SERVED = ("DEPLOYED", "RESTARTED", "DEPLOYMENT_ERROR", "BUILD_ERROR")
"""States of services of which some version ran."""
TIMEOUT_SECONDS = 600


async def deploy_again(context: Context) -> list[str]:
    """Deploy every service that ran; a sentence for each one that did not come up."""
    async with Client(context) as client:
        ran = [service for service in await services(client) if await _ran(client, service)]
        environments = sorted({service.environment_id for service in ran})
        async with asyncio.timeout(TIMEOUT_SECONDS), asyncio.TaskGroup() as group:
            deployed = [group.create_task(_deploy(client, environment, ran)) for environment in environments]
    return [sentence for task in deployed for sentence in task.result()]


async def _ran(client: Client, service: Service) -> bool:
    status = await client.get(f"/application/{service.id}/status")
    return status["state"] in SERVED


async def _deploy(client: Client, environment_id: str, ran: list[Service]) -> list[str]:
    own = [service for service in ran if service.environment_id == environment_id]
    body = {"applications": [{"application_id": service.id} for service in own]}
    try:
        await client.post(f"/environment/{environment_id}/service/deploy", body)
        deployment = await _ended(client, environment_id)
    except CommandFailed as failed:
        return [f"{own[0].project}/{own[0].environment}: {failed.detail}"]
    if deployment["status"] == "DEPLOYED":
        return []
    return [f"{own[0].project}/{own[0].environment}: {deployment.get('reason') or deployment['status']}"]


async def _ended(client: Client, environment_id: str) -> dict[str, Any]:
    """The newest deployment of the environment, once it has ended."""
    while True:
        newest = (await client.results(f"/environment/{environment_id}/deployments"))[0]
        if newest.get("ended_at"):
            return newest
        await asyncio.sleep(0.3)
