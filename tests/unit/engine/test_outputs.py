"""What a job leaves behind is taken as data of a stranger."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.specs import JobOutput
from slipway_engine.drivers.local.outputs import FILE, FILE_BYTES, OutputWrong, parse, read_outputs


def test_names_are_in_capitals_and_values_are_text() -> None:
    content = (
        b'{"url": {"value": "x", "sensitive": true, "description": "d"}, "port": {"value": 80}, "L": {"value": [1]}}'
    )
    assert parse(content) == {
        "URL": JobOutput(value="x", sensitive=True, description="d"),
        "PORT": JobOutput(value="80"),
        "L": JobOutput(value="[1]"),
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no JSON object"),
        (b"[]", "no JSON object"),
        (b'{"a-b": {"value": "x"}}', "'a-b' can't name"),
        (b'{"A": "x"}', "A has no value"),
        (b'{"A": {"value": null}}', "A has no value"),
        (b'{"A": {"value": "x", "sensitive": "yes"}}', "neither true nor false"),
        (b'{"A": {"value": "x"}, "a": {"value": "y"}}', "A twice"),
        (msgspec.json.encode({f"A{n}": {"value": "x"} for n in range(101)}), "100 are the most"),
        (msgspec.json.encode({"A": {"value": "x" * 70_000}}), "larger than 64 KiB"),
    ],
)
def test_what_is_wrong_is_said_by_name(content: bytes, said: str) -> None:
    with pytest.raises(OutputWrong, match=said):
        parse(content)


@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: msgspec.json.encode({text: {"value": text}})))
def test_nothing_in_a_file_is_more_than_wrong(content: bytes) -> None:
    try:
        found = parse(content)
    except OutputWrong:
        return
    assert all(name == name.upper() for name in found)


def test_a_file_is_read_bounded_and_never_through_a_link(tmp_path: Path) -> None:
    assert read_outputs(tmp_path) == {}
    (tmp_path / "secret").write_text('{"A": {"value": "secret"}}')
    (tmp_path / FILE).symlink_to(tmp_path / "secret")
    with pytest.raises(OutputWrong):
        read_outputs(tmp_path)
    (tmp_path / FILE).unlink()
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(OutputWrong, match="no ordinary file"):
        read_outputs(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).write_bytes(b"x" * (FILE_BYTES + 1))
    with pytest.raises(OutputWrong, match="larger than"):
        read_outputs(tmp_path)
