"""From a row to a Struct and back: ids are strings in our code, JSON columns are plain values."""

import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import msgspec

T = TypeVar("T")


_known: dict[Any, frozenset[str]] = {}


def _json_fields(type: Any) -> frozenset[str]:
    """The fields that come from JSON columns: what isn't a plain value."""
    if type not in _known:
        fields = msgspec.structs.fields(type)
        _known[type] = frozenset(one.encode_name for one in fields if _holds_json(one.type))
    return _known[type]


def _holds_json(kind: Any) -> bool:
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    return any(typing.get_origin(option) in (dict, list) for option in options)


def _plain(record: asyncpg.Record, json: frozenset[str]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, UUID):
            value = str(value)
        elif name in json and isinstance(value, str):
            value = msgspec.json.decode(value)
        plain[name] = value
    return plain


def one(record: asyncpg.Record | None, type: type[T]) -> T | None:
    """The row as `type`, or None where there is none."""
    return None if record is None else sure(record, type)


def sure(record: asyncpg.Record | None, type: type[T]) -> T:
    """The row of a statement that always gives one."""
    assert record is not None
    return msgspec.convert(_plain(record, _json_fields(type)), type)


def many(records: Iterable[asyncpg.Record], type: type[T]) -> list[T]:
    json = _json_fields(type)
    return [msgspec.convert(_plain(record, json), type) for record in records]


def to_json(value: Any) -> str:
    """What goes into a JSON column."""
    return msgspec.json.encode(value).decode()
