"""The tables: every state has an exit or rests, every state of the public API stands there, the picture is true."""

from pathlib import Path
from typing import Any, get_args

import pytest

from slipway_core import machine
from slipway_core.api import answers
from slipway_core.machine import Phase, State, StepState

DOCS = Path(__file__).resolve().parents[3] / "docs" / "deployment-states.md"


def test_every_state_of_the_public_api_stands_in_the_table() -> None:
    shown: Any = answers.Status.__annotations__["state"]
    assert set(get_args(shown)) == {state.value for state in machine.STATES} == set(State)


def test_every_state_before_the_end_has_a_limit_and_a_reason() -> None:
    for state, rule in machine.STATES.items():
        assert rule.reason, state
        if rule.phase in (Phase.QUEUED, Phase.RUNNING):
            assert rule.limit_seconds, state
            assert rule.to, state


def test_what_follows_at_a_limit_is_allowed() -> None:
    for state, rule in machine.STATES.items():
        if rule.at_limit is not None:
            assert rule.at_limit in rule.to, state


def test_every_state_leads_to_an_end() -> None:
    ends = machine.states_in(Phase.ENDED)
    reaching = set(ends)
    while more := {state for state, rule in machine.STATES.items() if state not in reaching and rule.to & reaching}:
        reaching |= more
    assert reaching == set(State)


def test_every_state_can_be_reached() -> None:
    reached = {State.READY}
    while more := {new for state in reached for new in machine.STATES[state].to} - reached:
        reached |= more
    assert reached == set(State)


@pytest.mark.parametrize("action", list(machine.Action))
def test_every_action_can_go_from_the_queue_to_each_of_its_ends(action: machine.Action) -> None:
    words = machine.WORDS[action]
    assert words.waiting in machine.STATES[words.queued].to
    assert {words.working, words.error} <= machine.STATES[words.waiting].to
    assert words.error in machine.STATES[words.working].to
    assert words.done in machine.STATES[State.RECAP].to


def test_a_transition_that_the_table_does_not_know_is_a_bug() -> None:
    with pytest.raises(machine.IllegalTransition):
        machine.check(State.DEPLOYED, State.BUILDING)
    with pytest.raises(machine.IllegalTransition):
        machine.check_step(StepState.SUCCEEDED, StepState.FAILED)


def test_every_state_of_a_step_leads_to_an_end() -> None:
    assert {StepState.SUCCEEDED, StepState.FAILED, StepState.CANCELED, StepState.SKIPPED} == machine.STEP_ENDED
    for state, rule in machine.STEP_STATES.items():
        assert state in machine.STEP_ENDED or rule.to & machine.STEP_ENDED


def test_the_picture_in_the_docs_is_drawn_from_the_tables() -> None:
    assert DOCS.read_text() == machine.picture(), "python -m slipway_core.machine docs/deployment-states.md"
