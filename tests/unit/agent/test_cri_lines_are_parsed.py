"""Bytes of a CRI log become lines, whatever stands in them, and always the same ones."""

from hypothesis import given
from hypothesis import strategies as st

from slipway_agent.logs.cri import LINE_BYTES, parse
from slipway_agent.logs.levels import detect

TIME = b"2026-01-01T00:00:00.000000001Z"
TIME_NS = 1767225600_000000001


def line(text: bytes, stream: bytes = b"stdout", tag: bytes = b"F") -> bytes:
    return TIME + b" " + stream + b" " + tag + b" " + text + b"\n"


def texts(data: bytes, **more: bool) -> list[str]:
    return [one.text for one in parse(data, 1, **more).lines]


def test_a_line_has_its_time_stream_number_and_text() -> None:
    parsed = parse(line(b"hello  world") + line(b"", b"stderr"), 7)
    first, second = parsed.lines
    assert (first.sequence, first.time_ns, first.stream, first.text) == (7, TIME_NS, "stdout", "hello  world")
    assert (second.sequence, second.stream, second.text) == (8, "stderr", "")
    assert parsed.sequence == 9


def test_parts_are_joined_and_keep_the_time_of_the_first() -> None:
    data = line(b"one ", tag=b"P") + line(b"two ", tag=b"P") + line(b"three")
    assert texts(data) == ["one two three"]


def test_parts_of_two_streams_do_not_mix() -> None:
    data = line(b"out-", tag=b"P") + line(b"err-", b"stderr", b"P") + line(b"1") + line(b"2", b"stderr")
    assert texts(data) == ["out-1", "err-2"]


def test_nothing_is_consumed_beyond_a_line_that_is_half_there() -> None:
    whole = line(b"whole")
    for data in (whole + TIME + b" stdout F hal", whole + line(b"part", tag=b"P"), whole + b"2026"):
        parsed = parse(data, 1)
        assert [one.text for one in parsed.lines] == ["whole"]
        assert parsed.consumed == len(whole)


def test_the_end_of_a_closed_file_is_a_line() -> None:
    data = line(b"whole") + line(b"part", tag=b"P") + TIME + b" stdout F cut o"
    assert texts(data, closed=True) == ["whole", "partcut o"]


def test_what_is_no_cri_line_is_kept_as_text() -> None:
    assert texts(b"Segmentation fault\n\xff\xfe\n\n" + line(b"x")) == ["Segmentation fault", "��", "", "x"]


def test_a_part_that_nothing_completes_ends_after_a_bound() -> None:
    data = line(b"lost", b"stderr", b"P") + b"".join(line(b"%d" % number) for number in range(2000))
    parsed = parse(data, 1)
    assert len(parsed.lines) == 2001
    assert parsed.consumed == len(data)


def test_a_line_of_many_megabytes_is_cut() -> None:
    data = b"".join(line(b"x" * 16384, tag=b"P") for _ in range(200)) + line(b"end")
    parsed = parse(data, 1)
    assert "".join(one.text for one in parsed.lines) == "x" * 16384 * 200 + "end"
    assert max(len(one.text) for one in parsed.lines) <= LINE_BYTES


def test_control_characters_do_not_make_a_message_too_large() -> None:
    parsed = parse(line(b"\x00" * 1_000_000), 1)
    assert len(parsed.lines) > 1
    assert sum(len(one.text) for one in parsed.lines) == 1_000_000


def test_times_with_a_zone_are_understood() -> None:
    parsed = parse(b"2026-01-01T02:00:00.000000001+02:00 stdout F x\n", 1)
    assert parsed.lines[0].time_ns == TIME_NS


LINES = st.lists(
    st.tuples(st.binary(max_size=40), st.sampled_from([b"stdout", b"stderr"]), st.sampled_from([b"F", b"F", b"P"])),
    max_size=40,
)


@given(LINES, st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_stopping_anywhere_and_going_on_gives_the_same_lines(
    lines: list[tuple[bytes, bytes, bytes]], reads: list[int]
) -> None:
    """A reader that stops after any read and goes on where it was consumed sees what one that never stopped sees."""
    data = b"".join(line(text.replace(b"\n", b" "), stream, tag) for text, stream, tag in lines)
    at_once = parse(data, 1, closed=True).lines
    offset, sequence, found = 0, 1, []
    seen = 0
    for length in [*reads, len(data)]:
        seen = min(len(data), seen + length)
        parsed = parse(data[offset:seen], sequence)
        found += parsed.lines
        offset, sequence = offset + parsed.consumed, parsed.sequence
    found += parse(data[offset:], sequence, closed=True).lines
    assert found == at_once


def test_levels_are_found_where_they_are_said_and_not_in_prose() -> None:
    assert detect('{"time":1,"level":"warn","msg":"x"}') == "warning"
    assert detect("ts=1 level=ERROR msg=x") == "error"
    assert detect("2026-01-01 12:00:00 [CRITICAL] disk") == "fatal"
    assert detect("INFO:     Application startup complete.") == "info"
    assert detect("no error here, all info is fine") == ""
    assert detect("GET /ERROR.html") == ""
