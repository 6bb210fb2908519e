"""What a push means: newest commit, deleted refs, words that skip, URLs of one repository."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.git import Commit, Push
from slipway_core.pushes import decide, is_unexpected, repository_key

A, B, C, NONE = "a" * 40, "b" * 40, "c" * 40, "0" * 40


def push(before: str, after: str, **fields: Any) -> Push:
    known: dict[str, Any] = {"ref": "refs/heads/main"} | fields
    return Push(
        link_id="l",
        delivery_id="1",
        provider="github",
        organization_id="o",
        repository="ada/web",
        clone_url="https://github.com/ada/web.git",
        before=before,
        after=after,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        **known,
    )


@pytest.mark.parametrize(
    ("given_push", "head", "older", "expected"),
    [
        (push(NONE, A), "", False, "followed"),
        (push(A, B), A, False, "followed"),
        (push(A, B), B, False, "repeated"),
        (push(A, NONE), A, False, "deleted"),
        (push(A, B, ref="refs/tags/v1"), A, False, "tag"),
        # The second push came before the first one: the first is older, whatever the clock says.
        (push(NONE, A), B, True, "older"),
        # A push was missed: what we know is not its `before`, and nothing followed it yet.
        (push(B, C), A, False, "followed"),
        # Forced back to A, later: `before` is the head, so it counts although A was pushed over once.
        (push(B, A), B, True, "followed"),
    ],
)
def test_what_is_decided(given_push: Push, head: str, older: bool, expected: str) -> None:
    assert decide(given_push, head, older).name == expected


@pytest.mark.parametrize("words", ["fix [skip ci]", "[SKIP DEPLOY] docs", "x [ci skip]", "[no ci] y"])
def test_words_that_skip_move_the_head_but_deploy_nothing(words: str) -> None:
    decision = decide(push(A, B, head=Commit(id=B, message=words)), A, False)
    assert (decision.name, decision.deploys, decision.moves_head) == ("skipped", False, True)


@given(st.permutations([(NONE, A), (A, B), (B, C)]))
def test_in_whatever_order_they_arrive_the_newest_commit_wins(order: list[tuple[str, str]]) -> None:
    """The remote stands at C when they arrive."""
    head, seen = "", set()
    for before, after in order:
        one = push(before, after)
        decision = decide(one, head, after in seen, C if is_unexpected(one, head) else "")
        seen.add(before)
        if decision.deploys:
            head = decision.commit
    assert head == C


def test_a_missed_push_is_made_up_for_by_what_the_remote_says() -> None:
    decision = decide(push(B, C), A, False, newest="d" * 40)
    assert (decision.name, decision.commit) == ("followed", "d" * 40)


def test_without_the_remotes_word_a_successor_that_came_before_tells_the_older_one() -> None:
    assert decide(push(NONE, A), C, True).name == "older"
    assert decide(push(NONE, A), C, False).name == "followed"


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Ada/Web.git",
        "https://github.com/ada/web",
        "https://token:x@github.com/ada/web/",
        "git@github.com:ada/web.git",
        "ssh://git@github.com:22/ada/web.git",
    ],
)
def test_urls_of_one_repository_have_one_key(url: str) -> None:
    assert repository_key(url) == "github.com/ada/web"


def test_repositories_on_different_ports_are_different() -> None:
    assert repository_key("http://localhost:8080/git/a/b.git") != repository_key("http://localhost:9090/git/a/b.git")
