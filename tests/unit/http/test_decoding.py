"""Bodies: all that is wrong is named with its path; what is unknown is refused, what is read-only is dropped."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_errors import Invalid
from slipway_http.decoding import BodyDecoder, structs_of
from slipway_http.problems import MalformedBody

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=8)]


class Inner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    __read_only__ = frozenset({"id"})

    size: Annotated[int, msgspec.Meta(ge=0)]
    kind: Literal["A", "B"] = "A"


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    __read_only__ = frozenset({"id", "created_at"})

    name: Name
    at: datetime | None = None
    inner: Inner | None = None
    many: Annotated[list[Inner], msgspec.Meta(max_length=3)] = []
    by_name: dict[str, Inner] = {}
    either: str | int | None = None
    left_out: str | msgspec.UnsetType = msgspec.UNSET


class Loose(msgspec.Struct, frozen=True, kw_only=True):
    name: str


DECODER = BodyDecoder(Body)


def wrong(value: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        DECODER.decode(msgspec.json.encode(value))
    return {error["path"]: error["message"] for error in refused.value.facts["errors"]}


def test_what_is_right_goes_through() -> None:
    body = DECODER.decode(b'{"name": "x", "at": "2026-01-01T00:00:00Z", "inner": {"size": 1}, "either": 5}')
    assert body.inner == Inner(size=1)
    assert body.left_out is msgspec.UNSET


def test_read_only_names_are_dropped_at_every_depth() -> None:
    sent = {"id": 1, "created_at": "x", "name": "x", "inner": {"id": 2, "size": 1}, "many": [{"id": 3, "size": 2}]}
    assert DECODER.decode(msgspec.json.encode(sent)) == Body(name="x", inner=Inner(size=1), many=[Inner(size=2)])


def test_every_wrong_field_is_named_at_every_depth() -> None:
    found = wrong(
        {
            "name": "much too long",
            "at": "yesterday",
            "inner": {"size": -1, "kind": "C"},
            "many": [{"size": 1}, {"size": "1"}, 5],
            "by_name": {"a": {"sice": 1}},
            "role_id": "owner",
        }
    )
    assert set(found) == {
        "$.name",
        "$.at",
        "$.inner.size",
        "$.inner.kind",
        "$.many[1].size",
        "$.many[2]",
        "$.by_name.a.sice",
        "$.by_name.a.size",
        "$.role_id",
    }
    assert found["$.role_id"] == "This field is not known here."
    assert all(message.endswith(".") for message in found.values())


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({}, "$.name"),
        ({"name": None}, "$.name"),
        ({"name": "x", "many": [{"size": 1}] * 4}, "$.many"),
        ({"name": "x", "many": {}}, "$.many"),
        ({"name": "x", "inner": []}, "$.inner"),
        ({"name": "x", "either": 1.5}, "$.either"),
        ([], "$"),
        ("x", "$"),
        (None, "$"),
    ],
)
def test_one_wrong_field_is_named(value: Any, path: str) -> None:
    assert list(wrong(value)) == [path]


def test_a_hundred_thousand_wrong_entries_are_told_shortly() -> None:
    assert len(wrong({"name": "x", "many": [{"size": "x"}] * 100_000})) <= 100


@pytest.mark.parametrize("data", [b"", b"{", b"nul", b"\xff", b'{"a": 1}{', b'{"name": "\\ud800"}', b"[" * 5000])
def test_what_is_not_json_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedBody):
        DECODER.decode(data)


def test_unknown_names_are_refused_also_where_a_struct_would_take_them() -> None:
    with pytest.raises(Invalid):
        BodyDecoder(Loose).decode(b'{"name": "x", "organization_id": "mine"}')
    assert BodyDecoder(Loose).decode(b'{"name": "x"}') == Loose(name="x")


def test_structs_inside_are_found() -> None:
    assert structs_of(Body) == {Body, Inner}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["name", "inner", "many", "size", "x"]), inner),
)


@given(JSON)
def test_anything_else_is_refused_and_nothing_breaks(value: Any) -> None:
    try:
        body = DECODER.decode(msgspec.json.encode(value))
    except Invalid:
        return
    assert isinstance(body, Body)
    assert set(value) <= {"name", "inner", "many"}


@given(st.binary())
def test_no_bytes_break_it(data: bytes) -> None:
    try:
        DECODER.decode(data)
    except Invalid:
        return
