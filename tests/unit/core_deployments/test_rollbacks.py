"""What a release that is gone back to runs with: variables of then, secrets of now unless asked for by name."""

from slipway_core import rollbacks
from slipway_core.variables import Effective


def one(key: str, value: str, secret: bool = False) -> Effective:
    return Effective(key=key, value=value, is_secret=secret)


THEN = [one("COLOUR", "green"), one("PASSWORD", "old", True), one("TOKEN", "gone", True), one("OLD", "1")]
NOW = [one("COLOUR", "red"), one("PASSWORD", "new", True), one("NEW", "2"), one("QOVERY_PROJECT_ID", "p")]


def values(found: list[Effective]) -> dict[str, str]:
    return {each.key: each.value for each in found}


def test_variables_are_of_then_and_secrets_of_now() -> None:
    assert values(rollbacks.variables(THEN, NOW, [])) == {
        "COLOUR": "green",
        "OLD": "1",
        "PASSWORD": "new",
        "QOVERY_PROJECT_ID": "p",
    }


def test_an_old_secret_comes_back_when_it_is_asked_for_by_name() -> None:
    found = values(rollbacks.variables(THEN, NOW, ["TOKEN"]))
    assert (found["TOKEN"], found["PASSWORD"]) == ("gone", "new")


def test_digests_follow_the_same_rule() -> None:
    then = {"COLOUR": "c1", "PASSWORD": "p1", "TOKEN": "t1"}
    now = {"COLOUR": "c2", "PASSWORD": "p2", "NEW": "n"}
    assert rollbacks.digests(then, now, ["PASSWORD", "TOKEN"], []) == {"COLOUR": "c1", "PASSWORD": "p2"}
    assert rollbacks.digests(then, now, ["PASSWORD", "TOKEN"], ["TOKEN"]) == {
        "COLOUR": "c1",
        "PASSWORD": "p2",
        "TOKEN": "t1",
    }


def test_a_secret_that_was_deleted_since_is_said() -> None:
    assert rollbacks.lost(THEN, ["COLOUR", "PASSWORD"], []) == ["TOKEN"]
    assert rollbacks.lost(THEN, ["COLOUR", "PASSWORD"], ["TOKEN"]) == []


def test_what_slipway_brings_is_not_kept() -> None:
    assert "QOVERY_PROJECT_ID" not in values(rollbacks.kept_with_a_release(NOW))
