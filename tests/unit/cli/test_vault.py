"""A backup's encryption: whole or refused, and only with the right key."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_cli.local.secrets import new_recovery_key
from slipway_cli.local.vault import CHUNK_BYTES, HEADER_BYTES, Opener, Sealer, parse_recovery_key
from slipway_cli.problems import CommandFailed

KEY = parse_recovery_key(new_recovery_key())


def sealed(data: bytes, key: bytes = KEY) -> bytes:
    file = io.BytesIO()
    with Sealer(file, key) as sealer:
        sealer.write(data)
        sealer.finish()
    return file.getvalue()


def opened(data: bytes, key: bytes = KEY) -> bytes:
    return io.BufferedReader(Opener(io.BytesIO(data), key)).read()


@given(
    st.binary(max_size=300) | st.sampled_from([b"x" * CHUNK_BYTES, b"y" * (CHUNK_BYTES + 1), b"z" * 3 * CHUNK_BYTES])
)
def test_what_was_sealed_comes_back(data: bytes) -> None:
    assert opened(sealed(data)) == data


def test_the_plain_text_is_nowhere_in_the_file() -> None:
    assert b"tr0ub4dor" not in sealed(b"password=tr0ub4dor&3" * 100)


@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    whole = bytearray(sealed(b"all of this belongs together" * 10))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CommandFailed):
        opened(bytes(whole))


@pytest.mark.parametrize("kept", [0, 5, HEADER_BYTES, HEADER_BYTES + 3, CHUNK_BYTES, -1])
def test_a_file_that_was_cut_off_is_refused(kept: int) -> None:
    with pytest.raises(CommandFailed):
        opened(sealed(b"x" * 2 * CHUNK_BYTES)[:kept])


def test_chunks_can_not_change_places_or_be_left_out() -> None:
    whole = sealed(b"a" * CHUNK_BYTES + b"b" * CHUNK_BYTES + b"c")
    size = 4 + CHUNK_BYTES + 16
    header, first, second, rest = (
        whole[:HEADER_BYTES],
        whole[HEADER_BYTES : HEADER_BYTES + size],
        whole[HEADER_BYTES + size : HEADER_BYTES + 2 * size],
        whole[HEADER_BYTES + 2 * size :],
    )
    assert opened(header + first + second + rest).endswith(b"c")
    for wrong in (header + second + first + rest, header + first + rest, header + first + second):
        with pytest.raises(CommandFailed):
            opened(wrong)


def test_another_key_is_told_apart_from_a_damaged_file() -> None:
    with pytest.raises(CommandFailed) as wrong:
        opened(sealed(b"x"), parse_recovery_key(new_recovery_key()))
    assert wrong.value.code == "backup.wrong_key"
    with pytest.raises(CommandFailed) as other:
        opened(b"PK\x03\x04 something else entirely, long enough")
    assert other.value.code == "backup.format"


def test_a_recovery_key_is_read_as_people_type_it() -> None:
    text = new_recovery_key()
    assert parse_recovery_key(text.lower().replace("-", " ") + "\n") == parse_recovery_key(text)
    for wrong in ("", "ABCD", text[:-5], "0" * 52):
        with pytest.raises(CommandFailed):
            parse_recovery_key(wrong)
