"""Resolving variables: properties that hold for whatever people write."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_core.problems import UnknownVariable, ValueTooLarge, VariableCycle
from slipway_core.variables import SCOPES, Effective, Variable, check, mentions, resolve, visible

KEYS = st.sampled_from(["A", "B", "C", "D", "E"])
PARTS = st.lists(st.one_of(st.text(alphabet="xyz ", max_size=4), KEYS.map(lambda key: f"{{{{{key}}}}}")), max_size=4)


@st.composite
def variables(draw: st.DrawFn) -> list[Variable]:
    places = draw(st.lists(st.tuples(st.sampled_from(SCOPES), KEYS), unique=True, max_size=12))
    made = []
    for n, (scope, key) in enumerate(places):
        alias = draw(st.booleans()) and draw(st.booleans())
        made.append(
            Variable(
                id=str(n),
                scope=scope,
                key=key,
                value="" if alias else "".join(draw(PARTS)),
                type="ALIAS" if alias else "VALUE",
                target_key=draw(KEYS) if alias else None,
                is_secret=draw(st.booleans()),
            )
        )
    return made


def attempt(written: list[Variable]) -> list[Effective] | UnknownVariable | VariableCycle:
    try:
        return resolve(written)
    except (UnknownVariable, VariableCycle) as problem:
        return problem


@given(variables())
def test_everything_resolves_or_says_why_with_a_path_that_is_real(written: list[Variable]) -> None:
    known = visible(written)
    outcome = attempt(written)
    if isinstance(outcome, UnknownVariable | VariableCycle):
        path = outcome.facts["path"]
        assert all(following in mentions(known[one]) for one, following in pairwise(path))
        name = outcome.facts.get("name")
        assert path[0] == path[-1] if name is None else name not in known and name in mentions(known[path[-1]])
        return
    effective = {one.key: one for one in outcome}
    assert effective.keys() == known.keys()
    for key, one in effective.items():
        assert "{{" not in one.value
        needed = mentions(known[key])
        assert one.is_secret == (known[key].is_secret or any(effective[name].is_secret for name in needed)) or (
            known[key].type == "ALIAS"
        )


@given(variables(), st.randoms())
def test_the_order_of_rows_doesnt_matter(written: list[Variable], random: Random) -> None:
    shuffled = list(written)
    random.shuffle(shuffled)
    expected, got = attempt(written), attempt(shuffled)
    assert got == expected if isinstance(expected, list) else type(got) is type(expected)


def value(key: str, text: str, scope: str = "SERVICE", **fields: object) -> Variable:
    return Variable(id=key, scope=scope, key=key, value=text, **fields)  # type: ignore[arg-type]


def test_the_narrowest_scope_wins() -> None:
    rows = [value("A", scope, scope) for scope in ("SERVICE", "PROJECT", "ENVIRONMENT")]
    assert [one.value for one in resolve(rows)] == ["SERVICE"]


def test_braces_that_name_nothing_stay_as_they_are() -> None:
    rows = [value("A", "{{ .Values.x }} {B} {{}} {{1}} }}{{")]
    assert resolve(rows)[0].value == rows[0].value


def test_a_billion_laughs_are_too_many() -> None:
    rows = [value("L0", "ha" * 1000)] + [value(f"L{n}", f"{{{{L{n - 1}}}}}" * 10) for n in range(1, 12)]
    with pytest.raises(ValueTooLarge):
        resolve(rows)


def test_a_long_chain_ends() -> None:
    rows = [value(f"C{n}", f"{{{{C{n + 1}}}}}") for n in range(200)] + [value("C200", "x")]
    with pytest.raises(VariableCycle):
        check("C0", rows)


def test_what_narrower_scopes_bring_may_be_named() -> None:
    row = value("URL", "https://{{HOST}}", "PROJECT")
    with pytest.raises(UnknownVariable):
        check("URL", [row])
    check("URL", [row], frozenset({"HOST"}))


def test_an_alias_of_a_secret_is_a_secret() -> None:
    rows = [
        value("S", "x", is_secret=True),
        Variable(id="a", scope="SERVICE", key="A", type="ALIAS", target_key="S"),
    ]
    assert [(one.key, one.value, one.is_secret) for one in resolve(rows)] == [("A", "x", True), ("S", "x", True)]
