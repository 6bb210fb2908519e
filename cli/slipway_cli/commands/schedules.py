"""schedules: what is due in an environment, and what came of what was."""

from typing import Annotated, Any

from cyclopts import Parameter

from slipway_cli import context, names
from slipway_cli.api import Client
from slipway_cli.output import say, show_json, show_table
from slipway_cli.problems import CommandFailed

AsJSON = Annotated[bool, Parameter(name="--json")]


async def schedules(environment: str, *, count: int = 10, outcome: str = "", as_json: AsJSON = False) -> int:
    """List the schedules of an environment, and what fired.

    Parameters
    ----------
    environment
        Name, path (project/environment) or id.
    count
        So many of what fired, the newest first; 100 at most.
    outcome
        Only these: fired, late, missed, skipped.
    """
    async with Client(context.current()) as client:
        path = f"/scheduler/environment/{await _find(client, environment)}"
        listed = await client.get(f"{path}/schedule")
        fired = await client.get(f"{path}/firing", count=str(count), outcome=outcome)
    if as_json:
        show_json({"schedules": listed["results"], "problem": listed["problem"], "firings": fired["results"]})
        return 0
    show_table(
        [_due(one) for one in listed["results"]], ("kind", "when", "next", "state", "id"), empty="Nothing is due."
    )
    if listed["problem"]:
        say(f"Something can't be kept: {listed['problem']}")
    columns = ("kind", "outcome", "nominal_at", "fired_at", "owner", "reason", "why")
    show_table(fired["results"], columns, empty="Nothing fired yet.")
    return 0


def _due(one: dict[str, Any]) -> dict[str, Any]:
    state = f"paused by {one['paused_by']}" if one["paused_by"] else "paused" if one["is_paused"] else ""
    when = f"{one['expression']} ({one['timezone']})" if one["expression"] else "once"
    return {**one, "when": when, "next": one["due_at"] or one["next_at"], "state": state or one["form"]}


async def _find(client: Client, name: str) -> str:
    """The id of the one environment of this name, path or id."""
    every = await names.environments(client, await names.organization_id(client))
    wanted = [one for one in every if name in (one["id"], one["name"], f"{one['project']}/{one['name']}")]
    if len(wanted) == 1:
        return str(wanted[0]["id"])
    known = ", ".join(f"{one['project']}/{one['name']}" for one in wanted or every[:8])
    if wanted:
        raise CommandFailed(f"{name!r} could be {known}: name one of these.", "name.ambiguous", 2)
    raise CommandFailed(f"There is no environment {name!r} ({known or 'there are none yet'}).", "not_found", 5)
