"""The public API's reference, as far as it is in scope: the judge of every answer that a client gets.

`python -m slipway_testing.reference REFERENCE.yaml SCOPE.tsv` makes the compact copy that the tests keep. Answers are
checked against the reference's schemas and against those of our own document, both read as JSON Schema.
"""

import csv
import json
import lzma
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

Json = dict[str, Any]
COPY = Path(__file__).resolve().parents[3] / "tests" / "service" / "api" / "reference.json.xz"
KEPT = ("operationId", "parameters", "requestBody", "responses")
METHODS = ("get", "post", "put", "patch", "delete")
OURS = {"GitProviderEnum": ["GITEA", "SLIPWAY"]}
"""Values that we add to enums of the reference: other Git hosts, and the built-in remote."""
DURATION = r"^PT(\d+H)?(\d+M)?(\d+(\.\d+)?S)?$"
"""ISO 8601 has fractions of seconds; JSON Schema's format doesn't."""


class Document:
    """An OpenAPI document whose answers can be checked; `prefix` stands before its paths."""

    def __init__(self, document: Json, prefix: str = "") -> None:
        self.document = document
        self.operations = dict(self._operations(prefix))

    def _operations(self, prefix: str) -> Iterator[tuple[str, Json]]:
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield key_of(method, path.removeprefix(prefix)), item[method]

    def wrong(self, key: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer; empty when nothing is."""
        responses = self.operations[key]["responses"]
        declared = responses.get(str(status), responses.get("default"))
        if declared is None:
            return [f"{key} answered {status}, but only {', '.join(responses)} are declared"]
        content = self._followed(declared).get("content", {})
        schema = next((kind.get("schema") for name, kind in content.items() if "json" in name), None)
        if schema is None:
            return []
        found = self._validator(json.dumps(schema)).iter_errors(body)
        return [f"{key} {status}: {'/'.join(map(str, one.instance_path))}: {one.message[:300]}" for one in found]

    def _followed(self, node: Json) -> Json:
        while "$ref" in node:
            target: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                part = part.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
                target = target[int(part)] if isinstance(target, list) else target[part]
            node = target
        return node

    @cache  # noqa: B019 - a document lives as long as its tests
    def _validator(self, schema: str) -> jsonschema_rs.Draft202012Validator:
        whole = {**json.loads(schema), "components": self.document["components"], "paths": self.document["paths"]}
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def key_of(method: str, path: str) -> str:
    """Names an operation whatever its path parameters are called."""
    return f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}"


def reference() -> Document:
    """The compact copy."""
    return Document(json.loads(lzma.decompress(COPY.read_bytes())))


def compact(document: Json, rows: list[dict[str, str]]) -> Json:
    """Only the operations in scope and the components that they name, as JSON Schema."""
    paths: dict[str, Json] = {}
    for row in rows:
        item, method = document["paths"][row["path"]], row["method"].lower()
        operation = {name: value for name, value in item[method].items() if name in KEPT}
        operation["parameters"] = [*item.get("parameters", []), *operation.get("parameters", [])]
        paths.setdefault(row["path"], {})[method] = operation
    components: dict[str, Json] = {}
    waiting: list[Any] = [paths]
    while waiting:
        for target in _targets(waiting.pop()):
            if target.startswith("#/components/"):
                kind, name = target.split("/")[2:4]
                if name not in components.setdefault(kind, {}):
                    components[kind][name] = document["components"][kind][name]
                    waiting.append(components[kind][name])
    for name, values in OURS.items():
        components["schemas"][name]["enum"] = [*components["schemas"][name]["enum"], *values]
    return {"openapi": document["openapi"], "paths": _schema(paths), "components": _schema(components)}


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _targets(value)
    elif isinstance(node, list):
        for item in node:
            yield from _targets(item)


def _schema(node: Any) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema: `nullable` is a type, examples and prose are left out.

    Two slips of the reference are mended: alternatives that overlap (a cron job is also a lifecycle job), and names
    that are required of objects which don't have them (`number` in statistics).
    """
    if isinstance(node, list):
        return [_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    left_out = ("description", "example", "discriminator", "nullable", "title", "xml", "externalDocs")
    kept = {name: _schema(value) for name, value in node.items() if name not in left_out or not _is_note(value)}
    if kept.get("format") == "duration":
        kept = {"type": "string", "pattern": DURATION}
    if "oneOf" in kept:
        kept["anyOf"] = kept.pop("oneOf")
    if isinstance(kept.get("required"), list) and "properties" in kept:
        kept["required"] = [name for name in kept["required"] if name in kept["properties"]]
    if node.get("nullable") is not True:
        return kept
    kept.pop("nullable", None)
    return {"anyOf": [kept, {"type": "null"}]}


def _is_note(value: Any) -> bool:
    """Not a property that happens to be called `description` or `title`."""
    return not (isinstance(value, dict) and ("type" in value or "$ref" in value))


def main() -> None:
    document = yaml.load(Path(sys.argv[1]).read_text(), Loader=yaml.CSafeLoader)
    with Path(sys.argv[2]).open() as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["wave"] == "1"]
    text = json.dumps(compact(document, rows), separators=(",", ":"), sort_keys=True)
    COPY.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
