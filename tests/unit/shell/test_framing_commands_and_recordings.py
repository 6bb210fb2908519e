"""Messages of both forms, commands in queries, and what is recorded."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_errors import Invalid
from slipway_security.envelope import MasterKey
from slipway_shell.framing import ChannelFrames, RawFrames, Typed, framing_for
from slipway_shell.recording import Recording, opened
from slipway_shell.routes import command


def test_channels_carry_input_sizes_and_the_end_of_input() -> None:
    frames = ChannelFrames(half_close=True)
    assert frames.typed(b"\x00abc") == Typed(data=b"abc")
    assert frames.typed(b'\x04{"Width":100,"Height":30}') == Typed(columns=100, rows=30)
    assert frames.typed(b'\x04{"Width":-1,"Height":99999999}') == Typed(columns=0, rows=10_000)
    assert frames.typed(b"\xff\x00") == Typed(eof=True)


@given(st.binary(max_size=200))
def test_any_message_has_a_meaning_or_is_refused(message: bytes) -> None:
    for frames in (ChannelFrames(half_close=True), ChannelFrames(half_close=False)):
        try:
            frames.typed(message)
        except Invalid:
            continue


def test_before_v5_there_is_no_half_close() -> None:
    with pytest.raises(Invalid):
        ChannelFrames(half_close=False).typed(b"\xff\x00")


def test_the_end_is_a_status_as_kubectl_reads_it() -> None:
    frames = framing_for("v5.channel.k8s.io", ends_by_byte=False)
    success, failure, trouble = (frames.end(0, ""), frames.end(3, ""), frames.end(None, "the agent is gone"))
    assert json.loads(success[0][1:])["status"] == "Success"
    causes = json.loads(failure[0][1:])["details"]["causes"]
    assert causes == [{"reason": "ExitCode", "message": "3"}]
    assert json.loads(trouble[0][1:])["message"] == "the agent is gone"
    assert framing_for(None, ends_by_byte=False).end(3, "") == []


def test_raw_frames_end_the_input_only_without_a_terminal() -> None:
    assert RawFrames(ends_by_byte=False).typed(b"\x04") == Typed(data=b"\x04")
    assert RawFrames(ends_by_byte=True).typed(b"\x04") == Typed(eof=True)
    assert RawFrames(ends_by_byte=True).typed(b"a\x04") == Typed(data=b"a\x04")


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], []),
        ([("command", "")], []),
        ([("command", "ls"), ("command", "-l")], ["ls", "-l"]),
        (
            [("command[1]", "-l"), ("command[0]", "ls"), ("command[10]", "z"), ("command[2]", "y")],
            ["ls", "-l", "y", "z"],
        ),
        ([("command[0]", "a; b $(c)"), ("other", "x")], ["a; b $(c)"]),
    ],
)
def test_commands_in_a_query(pairs: list[tuple[str, str]], expected: list[str]) -> None:
    assert command(pairs) == expected


@pytest.mark.parametrize("parts", [["a\0b"], ["x" * 40_000], ["a"] * 300, ["", "b"]])
def test_commands_that_cannot_be_run(parts: list[str]) -> None:
    with pytest.raises(Invalid):
        command([("command", part) for part in parts])


def recorded(path: Path, key: MasterKey | None, pieces: list[bytes], most_bytes: int = 10**6) -> list[Any]:
    recording = Recording(path, "session", key, most_bytes)
    recording.begin(80, 24, "somebody in web", datetime.now(UTC))
    for piece in pieces:
        recording.output(piece)
        recording.flush()
    recording.close()
    return [json.loads(line) for line in opened(path.read_bytes(), key).splitlines()]


@given(st.text(min_size=1, max_size=60), st.integers(1, 7))
def test_characters_survive_any_cut(tmp_path_factory: pytest.TempPathFactory, text: str, size: int) -> None:
    data = text.encode("utf-8", "replace")
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    for key in (None, MasterKey(bytes(range(32)))):
        header, *events = recorded(tmp_path_factory.mktemp("r") / "x" / "one.cast", key, pieces)
        assert header["version"] == 2
        assert "".join(event[2] for event in events) == data.decode()


def test_a_recording_has_a_limit_and_says_so(tmp_path: Path) -> None:
    _, *events = recorded(tmp_path / "one.cast", None, [b"x" * 100] * 10, most_bytes=250)
    text = "".join(event[2] for event in events)
    assert text.count("x") == 300
    assert "limit" in text


def test_a_piece_that_was_moved_is_noticed(tmp_path: Path) -> None:
    from slipway_security import DecryptionFailed

    key = MasterKey(bytes(range(32)))
    path = tmp_path / "one.cast.sealed"
    recorded(path, key, [b"one", b"two", b"three"])
    head, first, second, *rest = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([head, second, first, *rest]) + b"\n")
    with pytest.raises(DecryptionFailed):
        opened(path.read_bytes(), key)
