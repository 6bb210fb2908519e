"""Settings: environment variables into one frozen Struct per service. Nobody else reads the environment."""

import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from slipway_errors import Fault, Kind

PREFIX = "SLIPWAY_"
S = TypeVar("S", bound=msgspec.Struct)


class SettingsWrong(Fault):
    """A setting is missing or wrong."""

    kind = Kind.INVALID
    code = "settings.wrong"


def settings_from_environment(settings: type[S], environment: Mapping[str, str] | None = None) -> S:
    """Read `SLIPWAY_<FIELD>` for each field of the Struct; a missing or wrong one is a SettingsWrong that names it.

    Lists are separated by commas. A field may also come from a file, named by `SLIPWAY_<FIELD>_FILE` (mounted secrets).
    """
    source = os.environ if environment is None else environment
    fields = msgspec.structs.fields(settings)
    names = {field.name for field in fields}
    values: dict[str, Any] = {}
    for field in fields:
        text = _text(source, field.name, f"{field.name}_file" not in names)
        if text:
            values[field.name] = _value(field.name, text, field.type)
        elif field.required:
            raise SettingsWrong(f"{PREFIX}{field.name.upper()} is not set, and there is no default for it.")
    return settings(**values)


def _text(source: Mapping[str, str], name: str, may_be_file: bool) -> str:
    variable = PREFIX + name.upper()
    if text := source.get(variable, ""):
        return text
    path = source.get(variable + "_FILE", "") if may_be_file else ""
    if not path:
        return ""
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise SettingsWrong(f"{variable}_FILE: can't read {path}: {error.strerror}.") from error


def _value(name: str, text: str, kind: Any) -> Any:
    try:
        return msgspec.convert(_split(text) if _is_list(kind) else text, kind, strict=False)
    except msgspec.ValidationError as error:
        # The text itself may be a secret, so it isn't repeated.
        raise SettingsWrong(f"{PREFIX}{name.upper()} is wrong: {error}.") from None


def _is_list(kind: Any) -> bool:
    if isinstance(kind, types.UnionType):
        return any(_is_list(member) for member in kind.__args__)
    return typing.get_origin(kind) in (list, tuple, set, frozenset)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
