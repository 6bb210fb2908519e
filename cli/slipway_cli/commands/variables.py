"""env set, env list: variables of a service."""

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from slipway_cli import context, names
from slipway_cli.api import Client
from slipway_cli.output import say, show_json, show_table
from slipway_cli.problems import USAGE, CommandFailed

AsJSON = Annotated[bool, Parameter(name="--json")]


async def list_variables(service: str, *, as_json: AsJSON = False) -> int:
    """List the variables of a service; values of secrets are never shown."""
    async with Client(context.current()) as client:
        found = await names.find_service(client, service)
        plain = await client.results(f"/application/{found.id}/environmentVariable")
        secret = await client.results(f"/application/{found.id}/secret")
    if as_json:
        show_json({"variables": plain, "secrets": secret})
        return 0
    rows = [{"key": each["key"], "value": each.get("value"), "scope": each.get("scope")} for each in plain]
    rows += [{"key": each["key"], "value": "(secret)", "scope": each.get("scope")} for each in secret]
    show_table(sorted(rows, key=lambda row: row["key"]), ("key", "value", "scope"), empty="There are no variables yet.")
    return 0


async def set_variables(
    service: str,
    *assignments: str,
    secret: bool = False,
    as_json: AsJSON = False,
) -> int:
    """Set variables of a service; the next deployment takes them.

    Parameters
    ----------
    service
        Name, path (project/environment/name) or id.
    assignments
        KEY=value; a KEY alone takes its value from stdin, so that it stands in no shell history.
    secret
        Keep the values secret: they are never shown again.
    """
    if not assignments:
        raise CommandFailed("Nothing to set: write KEY=value after the service.", "usage", USAGE)
    kind = "secret" if secret else "environmentVariable"
    async with Client(context.current()) as client:
        found = await names.find_service(client, service)
        path = f"/application/{found.id}/{kind}"
        known = {each["key"]: each for each in await client.results(path) if each.get("scope") == "APPLICATION"}
        done = [await _set(client, path, known, assignment) for assignment in assignments]
    if as_json:
        show_json(done)
    else:
        say(f"  set {', '.join(each['key'] for each in done)}; slipway deploy {service} puts it in force")
    return 0


async def _set(client: Client, path: str, known: dict[str, Any], assignment: str) -> dict[str, Any]:
    key, equals, value = assignment.partition("=")
    if not equals:
        value = sys.stdin.readline().rstrip("\n")
    body = {"key": key, "value": value}
    if key in known:
        return dict(await client.call("PUT", f"{path}/{known[key]['id']}", body))
    return dict(await client.post(path, body))
