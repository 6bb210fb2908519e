"""Old encodings of every message, readable for ever.

`python -m slipway_testing.samples` writes those that are missing, and never changes one.
"""

import importlib
import pkgutil
import typing
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

import slipway_contracts
from slipway_contracts.base import Bucket, Topic
from slipway_contracts.events import DeploymentView
from slipway_contracts.places import Place
from slipway_contracts.shell import ShellAck, ShellOpened
from slipway_contracts.specs import JobOutputs, TaskSecrets
from slipway_testing.sources import ROOT

DIRECTORY = ROOT / "tests" / "contracts" / "samples"
INSIDE: tuple[type[msgspec.Struct], ...] = (
    DeploymentView, JobOutputs, Place, ShellAck, ShellOpened, TaskSecrets,
)  # fmt: skip
"""What travels as an answer, or inside another message's field."""
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def declared() -> dict[str, type[msgspec.Struct]]:
    """The message type behind every Topic and Bucket, by the name of its constant; answers and bodies by their own."""
    found: dict[str, type[msgspec.Struct]] = {kind.__name__: kind for kind in INSIDE}
    for module in pkgutil.iter_modules(slipway_contracts.__path__, "slipway_contracts."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Topic | Bucket):
                found[name] = value.message
    return found


def sample(kind: Any, name: str = "text", depth: int = 0) -> Any:
    """A value with every field set, as plain data."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _of_struct(kind, depth)
    if origin is list:
        return [sample(arguments[0], name, depth + 1)]
    if origin is dict:
        return {"key": sample(arguments[1], name, depth + 1)}
    if arguments and type(None) in arguments:
        return sample(next(one for one in arguments if one is not type(None)), name, depth)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind)).value
    plain = {str: name, int: 7, float: 1.5, bool: True, bytes: "c2VhbGVk", datetime: MOMENT.isoformat(), Any: name}
    return plain[kind if not arguments else arguments[0]]


def _of_struct(kind: type[msgspec.Struct], depth: int) -> Any:
    fields = msgspec.structs.fields(kind)
    values = {field.encode_name: sample(field.type, field.encode_name, depth + 1) for field in fields}
    return list(values.values()) if kind.__struct_config__.array_like else values


def write_missing(directory: Path = DIRECTORY) -> list[str]:
    """Write a sample of each message that has none."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, kind in declared().items():
        path = directory / f"{name}.json"
        if not path.exists():
            data = msgspec.json.encode(sample(kind))
            msgspec.json.decode(data, type=kind)
            path.write_bytes(msgspec.json.format(data, indent=1) + b"\n")
            written.append(name)
    return written


if __name__ == "__main__":
    write_missing()
