"""House rules that no linter knows."""

import ast
import re
from collections.abc import Iterator

import pytest

from slipway_testing.sources import SERVICES, Module, modules, service_modules

LONGEST_FUNCTION = 80
LONGEST_FILE = 400
GENERATED = {
    "services/core/slipway_core/api/answers.py",
    "services/core/slipway_core/api/bodies.py",
    "services/core/slipway_core/api/defaults.py",
}
ALONE = {"libs/workloads/slipway_workloads/shim.py"}  # runs without any of our packages, so it can't be cut up
FORBIDDEN_NAMES = {"utils", "util", "common", "base", "manager", "helpers", "misc"}
SHELLS = {
    "os.system",
    "os.popen",
    "asyncio.create_subprocess_shell",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
}
OURS = [module for module in modules() if module.shown not in GENERATED]


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_are_short() -> None:
    long = [
        f"{module.shown}:{node.name} has {length(node)} lines"
        for module in OURS
        for node in functions(module)
        if length(node) > LONGEST_FUNCTION
    ]
    assert long == []


def test_the_usual_function_is_very_short() -> None:
    lengths = sorted(length(node) for module in OURS for node in functions(module))
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[int(len(lengths) * 0.95)] <= 40


def test_files_are_short() -> None:
    long = {module.shown: len(module.path.read_text().splitlines()) for module in OURS if module.shown not in ALONE}
    assert {path: lines for path, lines in long.items() if lines > LONGEST_FILE} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [module.shown for module in OURS if module.tree.body and not ast.get_docstring(module.tree)]
    assert silent == []


@pytest.mark.parametrize("service", SERVICES)
def test_modules_are_named_for_what_they_hold(service: str) -> None:
    names = [module.shown for module in service_modules(service) if module.path.stem in FORBIDDEN_NAMES]
    assert names == []


def test_nothing_runs_through_a_shell() -> None:
    found = []
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in SHELLS:
                found.append(f"{module.shown}:{node.lineno}")
            if isinstance(node, ast.keyword) and node.arg == "shell" and ast.unparse(node.value) != "False":
                found.append(f"{module.shown}:{node.value.lineno}")
    assert found == []


def test_time_is_aware() -> None:
    naive = [
        f"{module.shown}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and re.fullmatch(r"datetime\.(utcnow|now|utcfromtimestamp)\(\)", ast.unparse(node))
    ]
    assert naive == []


def test_sql_is_no_f_string_of_values() -> None:
    """Statements are constants; values go in as $1, $2. An f-string may only join constants, in capitals."""
    found = []
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.JoinedStr) and _is_sql(node) and not _joins_constants(node):
                found.append(f"{module.shown}:{node.lineno}")
    assert [one for one in found if not one.startswith(("libs/embedded/", "libs/testing/", "libs/postgres/"))] == []


def _is_sql(node: ast.JoinedStr) -> bool:
    first = node.values[0]
    text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
    return re.match(r"\s*(SELECT|INSERT INTO|UPDATE \w+ SET|UPDATE \w+\s|DELETE FROM|WITH \w+ AS)\b", text) is not None


def _joins_constants(node: ast.JoinedStr) -> bool:
    parts = [value.value for value in node.values if isinstance(value, ast.FormattedValue)]
    return all(isinstance(part, ast.Name) and part.id.isupper() for part in parts)
