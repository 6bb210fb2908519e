"""Old encodings are readable for ever, and the new ones by old readers."""

from typing import Any

import msgspec
import pytest

from slipway_testing.samples import DIRECTORY, declared

DECLARED = declared()


@pytest.mark.parametrize("name", DECLARED)
def test_every_message_has_an_old_encoding_that_still_means_the_same(name: str) -> None:
    path = DIRECTORY / f"{name}.json"
    assert path.exists(), "run: python -m slipway_testing.samples"
    old = msgspec.json.decode(path.read_bytes())
    message = msgspec.json.decode(path.read_bytes(), type=DECLARED[name])
    assert_kept(old, message, name)


def assert_kept(old: Any, new: Any, path: str) -> None:
    """Everything that was said is still there: a renamed field would vanish without a sound."""
    if isinstance(new, msgspec.Struct):
        fields = {field.encode_name: getattr(new, field.name) for field in msgspec.structs.fields(new)}
        values = old if isinstance(old, dict) else dict(zip(fields, old, strict=False))
        for key, value in values.items():
            assert key in fields, f"{path}.{key} is no longer read"
            assert_kept(value, fields[key], f"{path}.{key}")
    elif isinstance(old, list):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            assert_kept(before, after, f"{path}[{number}]")
    elif isinstance(old, dict):
        for key, value in old.items():
            assert_kept(value, new[key], f"{path}.{key}")
    else:
        assert msgspec.to_builtins(new) in (old, str(old).replace("+00:00", "Z")), path


@pytest.mark.parametrize("name", DECLARED)
def test_readers_ignore_what_they_do_not_know(name: str) -> None:
    old = msgspec.json.decode((DIRECTORY / f"{name}.json").read_bytes())
    data = msgspec.json.encode({**old, "said_by_a_later_release": {"x": 1}})
    assert msgspec.json.decode(data, type=DECLARED[name])


def test_samples_belong_to_messages_that_are_there() -> None:
    assert {path.stem for path in DIRECTORY.glob("*.json")} == set(DECLARED)
