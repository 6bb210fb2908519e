"""shell: a terminal beside a service, with its environment."""

from typing import Annotated

from cyclopts import Parameter

from slipway_cli import context, names
from slipway_cli.api import Client
from slipway_cli.terminal import open_shell


async def shell(service: str, *command: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Open a terminal beside a service; exits with the remote exit code.

    Parameters
    ----------
    service
        Name, path (project/environment/name) or id.
    command
        Run this instead of a login shell.
    """
    async with Client(context.current()) as client:
        return await open_shell(client, await names.find_service(client, service), list(command))
