"""Deployment rules: the timetable of an environment, the ordered patterns of a project.

The scheduler learns of a timetable by the event `deployment_rule`, whose body is the rule.
"""

from typing import Any

import msgspec

from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core.api import answers, bodies
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.handlers.environments import chosen_cluster
from slipway_core.problems import wrong
from slipway_core.service_rules import Draft, check_zone
from slipway_core.stores.deployment_rules import Rule
from slipway_errors import NotFound
from slipway_http import Call, etag, require_match


async def of_environment(app: Core, call: Call[None]) -> answers.EnvironmentDeploymentRule:
    """The timetable of an environment."""
    async with app.reading() as work:
        rule = found(await work.deployment_rules.of_environment(call.place.environment_id))
    call.response_headers["ETag"] = etag(rule.version)
    return _timetable(rule)


async def edit_of_environment(
    app: Core, call: Call[bodies.EnvironmentDeploymentRuleEditRequest]
) -> answers.EnvironmentDeploymentRule:
    """Change when an environment is started and stopped; in force at once."""
    given = msgspec.to_builtins(call.body)
    _check_hours(given)
    async with app.work(actor_of(call)) as work:
        before = await _rule(work, call.place.environment_id, id_in(call, "deploymentRuleId"))
        require_match(call, before.version)
        _refuse_previews(given)
        rule = await work.deployment_rules.update(before.id, before.name, before.config | given)
        await _say(work, call.place, "updated", before, rule)
    call.response_headers["ETag"] = etag(rule.version)
    return _timetable(rule)


async def _rule(work: Work, parent_id: str, id: str) -> Rule:
    rule = found(await work.deployment_rules.get(id))
    if parent_id not in (rule.environment_id, rule.project_id):
        raise NotFound("There is no such rule here.")
    return rule


def _check_hours(given: dict[str, Any]) -> None:
    draft = Draft(config={})
    check_zone(draft, "timezone", given["timezone"])
    if given.get("auto_stop"):
        if not given["weekdays"]:
            draft.refuse("weekdays", "must name at least one day")
        if given["start_time"][11:16] == given["stop_time"][11:16]:
            draft.refuse("stop_time", "must be at another time than start_time")
    if draft.errors:
        raise wrong(*draft.errors)
    given["weekdays"] = sorted(set(given["weekdays"]), key=WEEK.index)


WEEK = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


def _refuse_previews(given: dict[str, Any]) -> None:
    if asked := [name for name in ("auto_preview", "on_demand_preview") if given.get(name)]:
        raise wrong(*((f"$.{name}", "previews are not supported yet") for name in asked))


def _timetable(rule: Rule) -> answers.EnvironmentDeploymentRule:
    return msgspec.convert(_shown(rule), answers.EnvironmentDeploymentRule)


def _shown(rule: Rule) -> dict[str, Any]:
    return {**rule.config, "id": rule.id, "created_at": rule.created_at, "updated_at": rule.updated_at}


async def of_project(app: Core, call: Call[None]) -> answers.ProjectDeploymentRuleResponseList:
    """The rules of a project; the first one that fits a new environment's name counts."""
    async with app.reading() as work:
        rules = await work.deployment_rules.of_project(call.place.project_id)
    return answers.ProjectDeploymentRuleResponseList(results=[_pattern(rule) for rule in rules])


async def get(app: Core, call: Call[None]) -> answers.ProjectDeploymentRule:
    """One rule of a project."""
    async with app.work() as work:
        rule = await _rule(work, call.place.project_id, id_in(call, "deploymentRuleId"))
    call.response_headers["ETag"] = etag(rule.version)
    return _pattern(rule)


async def create(app: Core, call: Call[bodies.ProjectDeploymentRuleRequest]) -> answers.ProjectDeploymentRule:
    """A new rule, after all others."""
    async with app.work(actor_of(call)) as work:
        name, config = await _checked(work, call)
        rule = await work.deployment_rules.add(uuid7(), call.place.project_id, None, name, config)
        await _say(work, call.place, "created", None, rule)
    return _pattern(rule)


async def edit(app: Core, call: Call[bodies.ProjectDeploymentRuleRequest]) -> answers.ProjectDeploymentRule:
    """Change a rule; environments that it was applied to stay as they are."""
    async with app.work(actor_of(call)) as work:
        before = await _rule(work, call.place.project_id, id_in(call, "deploymentRuleId"))
        require_match(call, before.version)
        name, config = await _checked(work, call)
        rule = await work.deployment_rules.update(before.id, name, before.config | config)
        await _say(work, call.place, "updated", before, rule)
    call.response_headers["ETag"] = etag(rule.version)
    return _pattern(rule)


async def _checked(work: Work, call: Call[bodies.ProjectDeploymentRuleRequest]) -> tuple[str, dict[str, Any]]:
    given = msgspec.to_builtins(call.body)
    _check_hours(given)
    if len(given["wildcard"]) > 255:
        raise wrong(("$.wildcard", "is too long"))
    organization = call.place.organization_id
    given["cluster_id"] = await chosen_cluster(work, call, organization, given["cluster_id"], "$.cluster_id")
    return given.pop("name"), given


async def delete(app: Core, call: Call[None]) -> None:
    """Remove a rule of a project."""
    async with app.work(actor_of(call)) as work:
        rule = await _rule(work, call.place.project_id, id_in(call, "deploymentRuleId"))
        await work.deployment_rules.delete(rule.id)
        await _say(work, call.place, "deleted", rule, None)


async def reorder(app: Core, call: Call[bodies.ProjectDeploymentRulesPriorityOrderRequest]) -> None:
    """Put all rules of a project into an order."""
    given = msgspec.to_builtins(call.body).get("project_deployment_rule_ids_in_order", [])
    async with app.work(actor_of(call)) as work:
        await work.projects.get(call.place.project_id, lock=True)
        before = [rule.id for rule in await work.deployment_rules.of_project(call.place.project_id)]
        ids = [id.lower() for id in given]
        if sorted(ids) != sorted(before):
            raise wrong(("$.project_deployment_rule_ids_in_order", "must name every rule of the project once"))
        await work.deployment_rules.reorder(call.place.project_id, ids)
        await work.changed(
            "project",
            "updated",
            call.place,
            id=call.place.project_id,
            name=call.place.name,
            before={"rules": before},
            after={"rules": ids},
            sub_target="DEPLOYMENT_RULE",
        )


def _pattern(rule: Rule) -> answers.ProjectDeploymentRule:
    shown = _shown(rule) | {"name": rule.name, "priority_index": rule.position}
    return msgspec.convert(shown, answers.ProjectDeploymentRule)


async def _say(work: Work, place: Place, verb: str, before: Rule | None, after: Rule | None) -> None:
    rule = after or before
    assert rule is not None
    await work.changed(
        "deployment_rule",
        verb,
        place,
        id=rule.id,
        name=rule.name or place.name,
        version=rule.version + (verb == "deleted"),
        before=before.config if before else None,
        after=after.config if after else None,
        body=rule.config,
        target="ENVIRONMENT" if rule.environment_id else "PROJECT",
        sub_target="DEPLOYMENT_RULE",
    )
