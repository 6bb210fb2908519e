"""Which requests become one: never one that would overtake another about the same service."""

from hypothesis import given
from hypothesis import strategies as st

from slipway_core.machine import Action
from slipway_core.planner import Request, Wish
from slipway_core.queueing import Waiting, joined, joins


def waiting(id: str, request: Request, trigger: str = "manual", who: str = "ada") -> Waiting:
    return Waiting(id=id, request=request, trigger=trigger, principal_id=who)


def deploy(**commits: str) -> Request:
    return Request(action=Action.DEPLOY, wishes={id: Wish(commit=commit) for id, commit in commits.items()})


def stop(*ids: str) -> Request:
    return Request(action=Action.STOP, wishes={id: Wish() for id in ids})


def joined_id(queue: list[Waiting], request: Request, trigger: str = "manual", who: str = "ada") -> str | None:
    found = joins(queue, request, trigger, who)
    return None if found is None else found.id


def test_the_same_persons_same_action_joins() -> None:
    assert joined_id([waiting("1", deploy(a="c1"))], deploy(b="c2")) == "1"


def test_another_persons_does_not() -> None:
    assert joined_id([waiting("1", deploy(a="c1"))], deploy(b="c2"), who="bob") is None


def test_another_action_does_not() -> None:
    assert joined_id([waiting("1", deploy(a="c1"))], stop("b")) is None


def test_pushes_join_whoever_pushed() -> None:
    queue = [waiting("1", deploy(a="c1"), "push", "ada")]
    assert joined_id(queue, deploy(a="c2"), "push", "bob") == "1"


def test_a_push_does_not_join_what_somebody_asked_for() -> None:
    assert joined_id([waiting("1", deploy(a="c1"))], deploy(a="c2"), "push") is None


def test_nothing_is_overtaken_that_is_about_the_same_service() -> None:
    queue = [waiting("1", deploy(a="c1"), "push"), waiting("2", stop("a"), who="bob")]
    assert joined_id(queue, deploy(a="c2"), "push") is None
    assert joined_id(queue, deploy(b="c2"), "push") == "1"


def test_everything_overtakes_nothing() -> None:
    queue = [waiting("1", deploy(a="c1")), waiting("2", stop("b"), who="bob")]
    assert joined_id(queue, Request(action=Action.DEPLOY, everything=True)) is None


def test_rollbacks_wait_for_themselves() -> None:
    queue = [waiting("1", deploy(a=""), "rollback")]
    assert joined_id(queue, deploy(a=""), "rollback") is None


def test_the_newest_wish_wins_per_service() -> None:
    both = joined(deploy(a="c1", b="c1"), deploy(b="c2"))
    assert {id: wish.commit for id, wish in both.wishes.items()} == {"a": "c1", "b": "c2"}


def test_everything_asked_for_later_means_the_newest_of_everything() -> None:
    assert joined(deploy(a="c1"), Request(action=Action.DEPLOY, everything=True)).wishes == {}
    kept = joined(Request(action=Action.DEPLOY, everything=True), deploy(a="c1"))
    assert kept.everything
    assert kept.wishes["a"].commit == "c1"


commits = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["c1", "c2", "c3"]), min_size=1, max_size=2)


@given(st.lists(st.tuples(st.booleans(), commits), max_size=12))
def test_every_service_ends_on_what_was_asked_for_last(asked: list[tuple[bool, dict[str, str]]]) -> None:
    queue: list[Waiting] = []
    expected: dict[str, tuple[Action, str]] = {}
    for number, (stops, wishes) in enumerate(asked):
        request = stop(*wishes) if stops else deploy(**wishes)
        expected |= {id: (request.action, "" if stops else commit) for id, commit in wishes.items()}
        found = joins(queue, request, "manual", "ada")
        if found is None:
            queue.append(waiting(str(number), request))
        else:
            at = queue.index(found)
            queue[at] = waiting(found.id, joined(found.request, request))
    came_out: dict[str, tuple[Action, str]] = {}
    for one in queue:
        came_out |= {id: (one.request.action, wish.commit) for id, wish in one.request.wishes.items()}
    assert came_out == expected
