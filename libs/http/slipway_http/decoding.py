"""Bodies and queries into Structs: in one go when all is right, field by field to name everything that is wrong.

Names that a Struct doesn't know are refused, except those in its `__read_only__` set, which clients may send back and
which are dropped. So nobody sets a field by guessing its name.
"""

import re
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from slipway_errors import Invalid
from slipway_http.problems import MalformedBody

Errors = list[dict[str, str]]
MAX_ERRORS = 100
AT = re.compile(r" - at `([^`]*)`$")
DEPTH = 64


class BodyDecoder:
    """Decodes JSON bodies of one type."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)
        self._strict = all(struct.__struct_config__.forbid_unknown_fields for struct in structs_of(kind))

    def decode(self, data: bytes) -> Any:
        """The value; MalformedBody when it isn't JSON, Invalid with every wrong field's path when it doesn't fit."""
        if self._strict:
            try:
                return self._decoder.decode(data)
            except (msgspec.DecodeError, RecursionError, ValueError):
                pass
        return check(self._kind, _parse(data))


def _parse(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedBody(f"The body is not valid JSON: {error}.") from error
    except RecursionError:
        raise MalformedBody("The body is nested too deeply.") from None


def decode_query(kind: Any, query: Mapping[str, str], getall: typing.Callable[[str], list[str]]) -> Any:
    """Query parameters into a Struct; a field that is a list takes every value of its name."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name in query:
            values[name] = getall(name) if _is_list(field.type) else query[name]
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError:
        return check(kind, values, strict=False)


def check(kind: Any, value: Any, *, strict: bool = True) -> Any:
    """Convert, or raise Invalid with the path of every wrong field."""
    errors: Errors = []
    cleaned = _clean(kind, value, "$", errors, strict, 0)
    if not errors:
        try:
            return msgspec.convert(cleaned, kind, strict=strict)
        except msgspec.ValidationError as error:
            errors.append(_error(str(error), "$"))
    count = len(errors)
    first = errors[0]
    detail = f"{first['path']}: {first['message']}" if count == 1 else f"{count} fields are wrong."
    raise Invalid(detail, errors=errors[:MAX_ERRORS])


def _clean(kind: Any, value: Any, path: str, errors: Errors, strict: bool, depth: int) -> Any:
    """The value without read-only names; what doesn't fit is noted in `errors`."""
    if len(errors) > MAX_ERRORS or depth > DEPTH:
        return value
    shape = _shape(kind, value)
    if shape is None:
        _leaf(kind, value, path, errors, strict)
        return value
    form, inner = shape
    if form == "struct":
        return _clean_struct(inner, value, path, errors, strict, depth)
    if form == "list":
        items = [_clean(inner, item, f"{path}[{n}]", errors, strict, depth + 1) for n, item in enumerate(value)]
        _leaf_length(kind, value, path, errors)
        return items
    return {name: _clean(inner, item, f"{path}.{name}", errors, strict, depth + 1) for name, item in value.items()}


def _clean_struct(
    struct: type[msgspec.Struct], value: dict[str, Any], path: str, errors: Errors, strict: bool, depth: int
) -> dict[str, Any]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    tag = struct.__struct_config__.tag_field
    cleaned: dict[str, Any] = {}
    for name, item in value.items():
        if name in fields:
            cleaned[name] = _clean(fields[name].type, item, f"{path}.{name}", errors, strict, depth + 1)
        elif name == tag:
            cleaned[name] = item
        elif name not in read_only(struct):
            errors.append({"path": f"{path}.{name}", "message": "This field is not known here."})
    for name, field in fields.items():
        if field.required and name not in value:
            errors.append({"path": f"{path}.{name}", "message": "This field is required."})
    return cleaned


def read_only(struct: type[msgspec.Struct]) -> frozenset[str]:
    """Names that clients may send back and that are dropped."""
    return frozenset(getattr(struct, "__read_only__", ()))


def _leaf(kind: Any, value: Any, path: str, errors: Errors, strict: bool) -> None:
    try:
        msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        errors.append(_error(str(error), path))
    except RecursionError:
        errors.append({"path": path, "message": "Nested too deeply."})


def _leaf_length(kind: Any, value: list[Any], path: str, errors: Errors) -> None:
    """Limits of the list itself; its items are checked one by one."""
    metas = getattr(kind, "__metadata__", ())
    _leaf(typing.Annotated[(list[Any], *metas)] if metas else list[Any], value, path, errors, True)


def _error(message: str, path: str) -> dict[str, str]:
    found = AT.search(message)
    inner = found[1].removeprefix("$") if found else ""
    return {"path": path + inner, "message": AT.sub("", message) + "."}


def _shape(kind: Any, value: Any) -> tuple[str, Any] | None:
    """How to look into a value of this type: a Struct, a list, a dict; None for what is checked as a whole."""
    for option in _options(kind):
        origin = typing.get_origin(option)
        if isinstance(value, dict) and isinstance(option, type) and issubclass(option, msgspec.Struct):
            return ("struct", option) if _only_struct(kind, option) else None
        if isinstance(value, list) and origin in (list, Sequence):
            return ("list", typing.get_args(option)[0])
        if isinstance(value, dict) and origin in (dict, Mapping):
            return ("dict", typing.get_args(option)[1])
    return None


def _only_struct(kind: Any, struct: Any) -> bool:
    """Unions of several Structs are told apart by msgspec, by their tags."""
    return sum(isinstance(option, type) and issubclass(option, msgspec.Struct) for option in _options(kind)) == 1


@cache
def _options(kind: Any) -> tuple[Any, ...]:
    """The members of a union, without annotations; a lone type is its own member."""
    if typing.get_origin(kind) is typing.Annotated:
        return _options(typing.get_args(kind)[0])
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return tuple(option for member in typing.get_args(kind) for option in _options(member))
    return (kind,)


def _is_list(kind: Any) -> bool:
    return any(typing.get_origin(option) in (list, tuple, set, frozenset) for option in _options(kind))


def structs_of(kind: Any, seen: set[type[msgspec.Struct]] | None = None) -> set[type[msgspec.Struct]]:
    """Every Struct that can occur in a value of this type."""
    seen = set() if seen is None else seen
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            if option in seen:
                continue
            seen.add(option)
            for field in msgspec.structs.fields(option):
                structs_of(field.type, seen)
        else:
            for argument in typing.get_args(option):
                structs_of(argument, seen)
    return seen
