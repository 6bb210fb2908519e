"""Tables in the documentation that follow from the code: `python -m slipway_testing.tables [--check]`.

`libs/contracts/README.md` says of each topic who publishes it and who uses it, in which file; the README of each
service has a table of its settings. Tests hold them against the code.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_testing.sources import ROOT, SERVICES, Module, modules, service_modules

SENDING = {"publish", "add", "send", "request", "Outgoing", "publish_soon"}
CONTRACTS = "slipway_contracts"
SETTINGS_TABLE = re.compile(r"(?m)^\|[^\n]*\n\|[ -|]*\n(?:\| `SLIPWAY_[^\n]*\n)+|^\| variable \|[^\n]*\n\|[ -|]*\n")
HEAD = "| variable | default | meaning |\n| --- | --- | --- |\n"


@dataclass(frozen=True)
class TopicFact:
    """One topic, as declared, and where it is used."""

    name: str
    pattern: str
    message: str
    owner: str
    stream: str
    sent_in: tuple[str, ...]
    used_in: tuple[str, ...]


def topic_facts() -> list[TopicFact]:
    """Every topic, in the order of its declaration."""
    sent, used = _uses()
    facts = []
    for name, call in _declarations("Topic"):
        fields = {keyword.arg: keyword.value for keyword in call.keywords}
        facts.append(
            TopicFact(
                name=name,
                pattern=ast.literal_eval(call.args[0]),
                message=ast.unparse(call.args[1]),
                owner=ast.literal_eval(fields["owner"]),
                stream=ast.unparse(fields["stream"]),
                sent_in=tuple(sorted(sent[name])),
                used_in=tuple(sorted(used[name] - sent[name])),
            )
        )
    return facts


def _declarations(kind: str) -> Iterator[tuple[str, ast.Call]]:
    for module in modules():
        if module.package != CONTRACTS:
            continue
        for node in module.tree.body:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Call)
                and ast.unparse(node.value.func) == kind
            ):
                yield ast.unparse(node.targets[0]), node.value


def _uses() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Per topic: files that send on it, and all that name it (the bus and tests apart)."""
    names = {name for name, _ in _declarations("Topic")}
    sent: dict[str, set[str]] = defaultdict(set)
    used: dict[str, set[str]] = defaultdict(set)
    for module in modules():
        if module.package in (CONTRACTS, "slipway_bus", "slipway_testing"):
            continue
        for name, sends in _names(module, names):
            (sent if sends else used)[name].add(module.shown)
            used[name].add(module.shown)
    return sent, used


def _names(module: Module, wanted: set[str]) -> Iterator[tuple[str, bool]]:
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Call)
            and node.args
            and isinstance(node.args[0], ast.Name)
            and node.args[0].id in wanted
        ):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            yield node.args[0].id, function in SENDING
        elif isinstance(node, ast.Name) and node.id in wanted:
            yield node.id, False


def contracts_readme() -> str:
    """The text of libs/contracts/README.md."""
    rows = [
        f"| `{fact.name}` | `{fact.pattern}` | {fact.message} | {fact.stream} | {fact.owner} | "
        f"{_files(fact.sent_in)} | {_files(fact.used_in)} |"
        for fact in topic_facts()
    ]
    return (
        "# Contracts\n\n"
        "What the services say to each other: messages, topics, streams, buckets. A new field gets a default, none is\n"
        "renamed or retyped, readers ignore what they don't know; a change that breaks this is a new topic.\n"
        "`tests/contracts/samples` holds one old encoding of each message, readable for ever.\n\n"
        "Who handles a subject? `git grep` its constant, or look here (made by `python -m slipway_testing.tables`):\n\n"
        "| topic | subject | message | stream | owner | sent in | used in |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


def _files(paths: tuple[str, ...]) -> str:
    return "<br>".join(f"`{re.sub(r'^(services|libs)/[a-z]+/slipway_', '', path)}`" for path in paths) or "–"


def settings_rows(service: str) -> list[tuple[str, str, str]]:
    """Variable, default and meaning of each setting of a service."""
    for module in service_modules(service):
        if module.path.name == "settings.py":
            return list(_settings_of(module))
    return []


def _settings_of(module: Module) -> Iterator[tuple[str, str, str]]:
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Settings":
            for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign):
                    yield _variable(field), _default(field, module.tree), _docstring(after)


def _variable(field: ast.AnnAssign) -> str:
    return f"SLIPWAY_{ast.unparse(field.target).upper()}"


def _default(field: ast.AnnAssign, tree: ast.Module) -> str:
    if field.value is None:
        return "required"
    constants = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    default = _value(field.value, constants)
    if isinstance(default, tuple | list):
        default = ",".join(map(str, default))
    return "empty" if default == "" else f"`{default}`"


def _value(node: ast.expr, constants: dict[str, ast.expr]) -> Any:
    """What a default comes to: literals, constants of the module, products and powers of them."""
    if isinstance(node, ast.Name) and node.id in constants:
        return _value(constants[node.id], constants)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _value(node.left, constants) * _value(node.right, constants)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _value(node.left, constants) ** _value(node.right, constants)
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _docstring(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""


def settings_table(service: str) -> str:
    """The table of a service's settings, as its README must hold it."""
    return HEAD + "".join(f"| `{name}` | {default} | {text} |\n" for name, default, text in settings_rows(service))


def readme_with_table(service: str) -> tuple[Path, str, str]:
    """A service's README: path, text now, text as it should be."""
    path = ROOT / "services" / service / "README.md"
    text = path.read_text() if path.exists() else ""
    if SETTINGS_TABLE.search(text):
        return path, text, SETTINGS_TABLE.sub(lambda _: settings_table(service), text, count=1)
    return path, text, text.rstrip() + "\n\n## Settings\n\n" + settings_table(service)


def outdated() -> dict[Path, str]:
    """Files whose tables don't follow the code, with the text that would."""
    contracts = ROOT / "libs" / "contracts" / "README.md"
    wanted = {contracts: contracts_readme()}
    for service in SERVICES:
        path, _, text = readme_with_table(service)
        if path.exists():
            wanted[path] = text
    return {path: text for path, text in wanted.items() if not path.exists() or path.read_text() != text}


def main() -> None:
    files = outdated()
    for path, text in files.items():
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
        if "--check" not in sys.argv:
            path.write_text(text)
    sys.exit(1 if files and "--check" in sys.argv else 0)


if __name__ == "__main__":
    main()
