"""A source gives every line once and in order, whatever happens to the files and to the agent."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway_agent.logs import source as source_module
from slipway_agent.logs.checkpoints import Checkpoints, Mark
from slipway_agent.logs.source import Cut, Source


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotated file counts as over as soon as its end is seen."""
    monkeypatch.setattr(source_module, "SETTLE_SECONDS", 0.0)


class Writer:
    """Numbered lines into a directory, rotated by rename like the shim does."""

    def __init__(self, directory: Path, keep: int = 5) -> None:
        self.directory = directory
        self.keep = keep
        self.number = 0
        directory.mkdir(parents=True, exist_ok=True)
        self.current = directory / "current.log"

    def write(self, count: int) -> None:
        with self.current.open("ab") as file:
            for _ in range(count):
                self.number += 1
                stamp = f"2026-01-01T00:00:00.{self.number:09d}Z"
                file.write(f"{stamp} stdout F line {self.number}\n".encode())

    def rotate(self) -> None:
        for number in range(self.keep - 1, 1, -1):
            older = self.directory / f"current.log.{number - 1}"
            if older.exists():
                os.replace(older, self.directory / f"current.log.{number}")
        if self.keep > 1:
            os.replace(self.current, self.directory / "current.log.1")
        else:
            self.current.unlink()
        self.current.touch()

    def expected(self) -> list[str]:
        return [f"line {number}" for number in range(1, self.number + 1)]


def drain(source: Source, note: Callable[[Cut], None] = lambda cut: None) -> list[str]:
    texts: list[str] = []
    for _ in range(50):
        source.changed()
        while cut := source.next():
            note(cut)
            texts += [line.text for line in cut.lines]
            source.done(cut)
        if not source.changed():
            return texts
    return texts


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "logs")


def opened(writer: Writer, mark: Mark | None = None, held_bytes: int = 1 << 20) -> Source:
    return Source(writer.directory, mark, held_bytes)


def test_what_is_appended_is_read_once(writer: Writer) -> None:
    source = opened(writer)
    writer.write(10)
    first = drain(source)
    assert not source.changed()
    writer.write(5)
    assert first + drain(source) == writer.expected()


def test_rotations_between_two_looks_lose_nothing(writer: Writer) -> None:
    source = opened(writer)
    texts = []
    for _ in range(6):
        for _ in range(3):
            writer.write(100)
            writer.rotate()
        writer.write(7)
        texts += drain(source)
    assert texts == writer.expected()


def test_the_last_lines_of_a_file_that_was_rotated_while_we_read_it_are_read(writer: Writer) -> None:
    writer.write(10)
    source = opened(writer)
    texts = drain(source)
    writer.write(10)
    writer.rotate()
    writer.write(10)
    assert texts + drain(source) == writer.expected()


def test_an_agent_that_comes_back_goes_on_where_it_was(writer: Writer) -> None:
    writer.write(10)
    before = opened(writer)
    texts = drain(before)
    writer.write(3)
    writer.rotate()
    writer.write(3)
    assert texts + drain(opened(writer, before.mark)) == writer.expected()


def test_a_cut_that_was_on_its_way_is_cut_the_same_again(writer: Writer) -> None:
    """More lines have come since, but what is sent again has the same id and the same lines."""
    writer.write(10)
    source = opened(writer)
    source.changed()
    first = source.next()
    assert first is not None
    writer.write(10)
    again = opened(writer, first.mark)
    again.changed()
    second = again.next()
    assert second is not None
    assert (second.id, second.lines) == (first.id, first.lines)
    again.done(second)
    assert drain(again) == writer.expected()[10:]


def test_numbers_begin_anew_in_each_file_under_another_epoch(writer: Writer) -> None:
    cuts: list[Cut] = []
    writer.write(3)
    writer.rotate()
    writer.write(2)
    drain(opened(writer), cuts.append)
    assert [[line.sequence for line in cut.lines] for cut in cuts] == [[1, 2, 3], [1, 2]]
    assert cuts[0].epoch != cuts[1].epoch


def test_a_file_that_was_removed_while_we_were_away_leaves_a_gap_marker(writer: Writer) -> None:
    writer.write(10)
    before = opened(writer)
    drain(before)
    before.close()
    for _ in range(7):
        writer.write(2)
        writer.rotate()
    writer.write(1)
    cuts: list[Cut] = []
    texts = drain(opened(writer, before.mark), cuts.append)
    assert cuts[0].lines[0].stream == "system"
    assert "lost" in texts[0]
    assert texts[1:] == writer.expected()[-9:]


def test_removed_files_are_read_to_their_end_while_we_hold_them(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "logs", keep=1)
    writer.write(50)
    source = opened(writer)
    source.changed()
    for _ in range(5):
        writer.rotate()
        writer.write(50)
        source.changed()
    assert drain(source) == writer.expected()


def test_beyond_the_bound_removed_files_become_a_counted_gap(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "logs", keep=1)
    writer.write(50)
    source = opened(writer, held_bytes=5000)
    source.changed()
    for _ in range(5):
        writer.rotate()
        writer.write(50)
        source.changed()
    texts = drain(source)
    gaps = [text for text in texts if "lost" in text]
    lost = int(gaps[0].split()[0].replace(",", ""))
    assert len(gaps) == 1
    assert lost == 300 - (len(texts) - 1)
    assert texts[:50] == writer.expected()[:50]
    assert texts[-50:] == writer.expected()[-50:]


def test_copytruncate_loses_nothing(writer: Writer) -> None:
    writer.write(10)
    source = opened(writer)
    texts = drain(source)
    writer.write(10)
    (writer.directory / "current.log.1").write_bytes(writer.current.read_bytes())
    os.truncate(writer.current, 0)
    writer.write(10)
    assert texts + drain(source) == writer.expected()


def test_a_reused_inode_is_not_taken_for_the_old_file(writer: Writer) -> None:
    writer.write(10)
    source = opened(writer)
    texts = drain(source)
    os.truncate(writer.current, 0)
    writer.write(20)
    texts += drain(source)
    assert [text for text in texts if "lost" not in text] == writer.expected()


def test_a_directory_that_is_removed_is_read_to_its_end_and_forgotten(writer: Writer) -> None:
    source = opened(writer)
    writer.write(10)
    source.changed()
    writer.current.unlink()
    writer.directory.rmdir()
    assert drain(source) == writer.expected()
    assert source.gone


def test_an_empty_log_waits_for_its_first_line(writer: Writer) -> None:
    writer.current.touch()
    source = opened(writer)
    assert drain(source) == []
    with writer.current.open("ab") as file:
        file.write(b"2026-01-01T00:00:00.0")
    assert drain(source) == []
    with writer.current.open("ab") as file:
        file.write(b"Z stdout F first\n")
    assert drain(source) == ["first"]


def test_checkpoints_survive_and_shrink(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for number in range(20_000):
        checkpoints.record("one", Mark("f", 1, number, number))
    checkpoints.record("two", Mark("g", 2, 5, 1, 9))
    checkpoints.forget("three")
    checkpoints.close()
    with (tmp_path / "checkpoints").open("ab") as file:
        file.write(b'["one",["f",1,99')  # cut off by a power failure
    assert (tmp_path / "checkpoints").stat().st_size < 2 * 1024 * 1024
    again = Checkpoints(tmp_path)
    assert again.mark("one") == Mark("f", 1, 19_999, 19_999)
    assert again.mark("two") == Mark("g", 2, 5, 1, 9)
    again.close()


def test_a_second_agent_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from slipway_agent.logs import checkpoints as module

    first = Checkpoints(tmp_path)
    monkeypatch.setattr(module._locked, "__defaults__", (0.2,))
    began = time.monotonic()
    with pytest.raises(module.AnotherAgent):
        Checkpoints(tmp_path)
    assert time.monotonic() - began < 5
    first.close()
