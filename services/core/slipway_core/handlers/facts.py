"""Small truths of the reference's API that need no table."""

from typing import Any

import msgspec

from slipway_core import service_rules
from slipway_core.api import answers
from slipway_core.app import Core, found
from slipway_core.handlers import git_links
from slipway_core.problems import Unsupported, wrong
from slipway_http import Call


async def network(app: Core, call: Call[Any], returns: Any) -> Any:
    """How requests reach a service's instances: any one may get any."""
    return returns(sticky_session=False)


async def edit_network(app: Core, call: Call[Any], returns: Any) -> Any:
    """Takes what is so; sticky sessions are not supported yet."""
    if call.body.sticky_session is True:
        raise wrong(("$.sticky_session", "is not supported yet"))
    return returns(sticky_session=False)


async def database_versions(app: Core, call: Call[None]) -> answers.VersionResponseList:
    """The versions that a database of this type can have."""
    async with app.reading() as work:
        database = found(await work.services.get(call.place.service_id))
    names = service_rules.DATABASE_VERSIONS[database.config["type"]]
    return answers.VersionResponseList(results=[answers.Version(name=name) for name in names])


async def database_configurations(app: Core, call: Call[None]) -> answers.DatabaseConfigurationResponseList:
    """The databases that can be made."""
    shown = [
        {
            "database_type": type,
            "version": [{"name": name, "supported_mode": "CONTAINER"} for name in versions],
        }
        for type, versions in service_rules.DATABASE_VERSIONS.items()
    ]
    return msgspec.convert({"results": shown}, answers.DatabaseConfigurationResponseList)


async def sync_webhook(app: Core, call: Call[None]) -> answers.GitWebhookStatusResponse:
    """Put the webhook right, as far as it is ours; a provider's own settings are out of reach."""
    status = await git_links.webhook_status(app, call)
    if status.status != "ACTIVE":
        raise Unsupported("Slipway can't reach the provider's settings: put the webhook there by hand (gitLink).")
    return status
