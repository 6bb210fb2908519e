"""The planner: nothing runs before what it needs, unchanged means untouched, a done plan leaves nothing to do."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.specs import GitSource, ServiceKind, ServiceSpec
from slipway_core import planner
from slipway_core.machine import Action
from slipway_core.planner import BUILD_WAVE, Deployed, Desired, Kept, Plan, Request, Situation, Wish, plan

COMMITS = ("a" * 40, "b" * 40)


def spec(id: str, commit: str = COMMITS[0], memory: int = 512, git: bool = True) -> ServiceSpec:
    source = GitSource(url=f"https://git.example/{id}", branch="main", commit=commit) if git else None
    return ServiceSpec(id=id, kind=ServiceKind.APPLICATION, name=f"name-{id}", label=id, git=source, memory_mib=memory)


def desired(id: str, stage: int = 1, **fields: Any) -> Desired:
    known = {"spec": spec(id), "variables": {}} | fields
    return Desired(id=id, name=f"name-{id}", kind="APPLICATION", stage=f"stage {stage}", stage_position=stage, **known)


def deployed(one: Desired, running: bool = True) -> Deployed:
    return Deployed(spec=one.spec, variables=one.variables, artifact=f"artifact of {one.id}", running=running)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    ids = [f"s{number}" for number in range(draw(st.integers(0, 6)))]
    services, known = [], {}
    for id in ids:
        variables = draw(st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2"]), max_size=2))
        one = desired(
            id,
            draw(st.integers(1, 4)),
            spec=spec(id, draw(st.sampled_from(COMMITS)), draw(st.sampled_from([128, 512])), draw(st.booleans())),
            variables=variables,
            skipped=draw(st.booleans()),
        )
        services.append(one)
        match draw(st.sampled_from(["never", "failed", "same", "stopped", "other"])):
            case "failed":
                known[id] = Deployed(spec=None, variables={})
            case "same":
                known[id] = deployed(one)
            case "stopped":
                known[id] = deployed(one, running=False)
            case "other":
                known[id] = Deployed(spec=spec(id, memory=64), variables={}, artifact="old", running=True)
    return Situation(services=services, deployed=known)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    wishes = draw(st.dictionaries(st.sampled_from([f"s{n}" for n in range(7)]), st.just(Wish()), max_size=3))
    return Request(
        action=draw(st.sampled_from(list(Action))),
        everything=draw(st.booleans()) or not wishes,
        wishes=wishes,
        redeploy=draw(st.booleans()),
        keep=draw(st.booleans()),
    )


def after(situation: Situation, made: Plan, action: Action) -> Situation:
    """The situation once every step of the plan has succeeded."""
    known = dict(situation.deployed)
    services = list(situation.services)
    for step in made.steps:
        match step.kind:
            case "deploy":
                known[step.service_id] = Deployed(step.spec, step.variables, step.artifact or "built", running=True)
            case "start" | "restart":
                known[step.service_id] = replace(known[step.service_id], running=True)
            case "stop":
                known[step.service_id] = replace(known[step.service_id], running=False)
            case "delete":
                del known[step.service_id]
                services = [service for service in services if service.id != step.service_id]
    return Situation(services, known, situation.kept)


@given(situations(), requests())
def test_steps_wait_only_for_steps_of_earlier_waves(situation: Situation, request: Request) -> None:
    made = plan(situation, request)
    waves = {step.key: step.wave for step in made.steps}
    assert len(waves) == len(made.steps)
    for step in made.steps:
        assert all(waves[key] < step.wave for key in step.depends_on)


@given(situations(), requests())
def test_nothing_is_put_into_place_before_everything_is_built(situation: Situation, request: Request) -> None:
    made = plan(situation, request)
    assert all((step.wave == BUILD_WAVE) == (step.kind == "build") for step in made.steps)
    for step in made.steps:
        if step.kind == "deploy" and step.spec and step.spec.git and not step.artifact:
            assert step.depends_on == (f"build.{step.service_id}",)


@given(situations(), requests())
def test_stages_come_in_order_and_backwards_when_things_go_away(situation: Situation, request: Request) -> None:
    made = plan(situation, request)
    positions = {service.id: service.stage_position for service in situation.services}
    found = [(positions[step.service_id], step.wave) for step in made.steps if step.kind != "build"]
    backwards = request.action in (Action.STOP, Action.DELETE)
    for position, wave in found:
        for other_position, other_wave in found:
            if position < other_position:
                assert other_wave < wave if backwards else wave < other_wave
            elif position == other_position:
                assert wave == other_wave


@given(situations(), requests())
def test_what_is_unchanged_is_left_alone_unless_asked(situation: Situation, request: Request) -> None:
    request = msgspec.structs.replace(request, action=Action.DEPLOY, redeploy=False)
    touched = {step.service_id for step in plan(situation, request).steps}
    for service in situation.services:
        known = situation.deployed.get(service.id)
        if known and known.running and known.spec == service.spec and known.variables == service.variables:
            assert service.id not in touched


@given(situations(), requests())
def test_only_what_was_asked_for_is_touched(situation: Situation, request: Request) -> None:
    made = plan(situation, request)
    for service in situation.services:
        asked = service.id in request.wishes or (
            request.everything and (not service.skipped or (request.action is Action.DELETE and not request.keep))
        )
        mentioned = {step.service_id for step in made.steps} | {skipped.service_id for skipped in made.skipped}
        assert (service.id in mentioned) == asked


@given(situations(), requests())
def test_the_plan_of_a_plans_result_is_empty(situation: Situation, request: Request) -> None:
    request = msgspec.structs.replace(request, redeploy=False)
    result = after(situation, plan(situation, request), request.action)
    # A restart can be asked for again and again; so can the stop of what engines may hold the ruins of.
    again = [step for step in plan(result, request).steps if result.deployed[step.service_id].spec is not None]
    assert request.action is Action.RESTART or again == []


@given(situations(), requests())
def test_the_same_question_has_the_same_answer(situation: Situation, request: Request) -> None:
    assert plan(situation, request) == plan(situation, request)


@given(situations())
def test_redeploy_touches_everything_that_is_not_skipped(situation: Situation) -> None:
    made = plan(situation, Request(action=Action.DEPLOY, everything=True, redeploy=True))
    deploys = {step.service_id for step in made.steps if step.kind == "deploy"}
    assert deploys == {service.id for service in situation.services if not service.skipped}


def test_a_change_of_settings_builds_nothing() -> None:
    one = desired("web")
    before = Deployed(spec=spec("web", memory=64), variables={"A": "1"}, artifact="built", running=True)
    made = plan(Situation([one], {"web": before}), Request(action=Action.DEPLOY, everything=True))
    assert [step.kind for step in made.steps] == ["deploy"]
    assert made.steps[0].artifact == "built"
    assert [(change.what, change.name, change.before, change.after) for change in made.steps[0].changes] == [
        ("memory_mib", "", 64, 512),
        ("variable", "A", None, "removed"),
    ]


def test_a_new_commit_builds_and_says_from_what_to_what() -> None:
    one = desired("web", spec=spec("web", COMMITS[1]))
    before = Deployed(spec=spec("web"), variables={}, artifact="built", running=True)
    made = plan(Situation([one], {"web": before}), Request(action=Action.DEPLOY, everything=True))
    assert [step.kind for step in made.steps] == ["build", "deploy"]
    change = made.steps[1].changes[0]
    assert (change.what, change.before, change.after) == ("commit", COMMITS[0], COMMITS[1])
    assert made.commits == {"web": COMMITS[1]}


def test_a_service_without_a_commit_is_left_out_of_everything_but_refused_by_name() -> None:
    one = desired("web", spec=spec("web", ""), problem="nothing was pushed yet", nothing_yet=True)
    whole = plan(Situation([one], {}), Request(action=Action.DEPLOY, everything=True))
    assert (whole.steps, whole.problems, whole.skipped[0].why) == ((), (), "nothing was pushed yet")
    named = plan(Situation([one], {}), Request(action=Action.DEPLOY, wishes={"web": Wish()}))
    assert [problem.why for problem in named.problems] == ["nothing was pushed yet"]


def test_a_service_that_was_never_deployed_is_deleted_without_an_engine() -> None:
    made = plan(Situation([desired("web")], {}), Request(action=Action.DELETE, wishes={"web": Wish()}))
    assert made.steps == ()
    assert made.skipped[0].service_id == "web"


def test_a_rollback_takes_the_kept_release_with_its_artifact() -> None:
    one = desired("web", spec=spec("web", COMMITS[1]))
    now = Deployed(spec=spec("web", COMMITS[1]), variables={}, artifact="new", running=True)
    kept = {"r1": Kept(spec("web", COMMITS[0], memory=64), "old")}
    request = Request(action=Action.DEPLOY, wishes={"web": Wish(release_id="r1")})
    (step,) = plan(Situation([one], {"web": now}, kept), request).steps
    assert (step.kind, step.artifact, step.spec) == ("deploy", "old", kept["r1"].spec)


def test_a_rollback_to_what_is_gone_is_a_problem() -> None:
    request = Request(action=Action.DEPLOY, wishes={"web": Wish(release_id="gone")})
    made = plan(Situation([desired("web")], {}), request)
    assert "not kept" in made.problems[0].why


@pytest.mark.parametrize(
    ("wish", "redeploy", "head", "deployed_commit", "expected"),
    [
        (Wish(commit="c1"), False, "c2", "c0", "c1"),
        (Wish(), False, "c2", "c0", "c2"),
        (Wish(), False, "", "c0", "c0"),
        (Wish(), True, "c2", "c0", "c0"),
        (Wish(), True, "c2", "", "c2"),
        (Wish(keep_commit=True), False, "c2", "c0", "c0"),
        (Wish(keep_commit=True), False, "c2", "", "c2"),
        (Wish(), False, "", "", ""),
    ],
)
def test_which_commit(wish: Wish, redeploy: bool, head: str, deployed_commit: str, expected: str) -> None:
    request = Request(action=Action.DEPLOY, redeploy=redeploy)
    assert planner.commit_for(wish, request, head, deployed_commit) == expected
