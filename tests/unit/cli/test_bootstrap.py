"""The bootstrap script: old Pythons are told in a sentence, a lock is installed once."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from slipway_cli.local.home import REPOSITORY

SCRIPT = REPOSITORY / "slipway"


@pytest.fixture
def environment() -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment", REPOSITORY / "bootstrap" / "environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_can_be_read_by_old_pythons() -> None:
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 4))
    modern = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.AsyncFunctionDef)
    assert not [node for node in ast.walk(tree) if isinstance(node, modern)]
    arguments = [argument for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args]
    assert not [argument for argument in arguments if argument.annotation]
    assert os.access(SCRIPT, os.X_OK)


def test_an_old_python_is_told_what_is_needed(tmp_path: Path) -> None:
    script = SCRIPT.read_text().replace("NEEDED = (3, 11)", "NEEDED = (3, 99)")
    (tmp_path / "slipway").write_text(script)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "slipway"), "up"], env={"PATH": ""}, capture_output=True, text=True, timeout=20
    )
    assert done.returncode != 0
    assert "needs Python" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_tools_of_contributors_are_for_contributors_commands(environment: ModuleType) -> None:
    assert environment.locks_for(["up", "--port", "1"]) == ["requirements.lock"]
    assert environment.locks_for([]) == ["requirements.lock"]
    assert environment.locks_for(["test", "-k", "x"]) == ["requirements.lock", "requirements-dev.lock"]


def test_a_lock_that_can_not_be_installed_ends_with_a_sentence(environment: ModuleType, tmp_path: Path) -> None:
    checkout = tmp_path / "a checkout"
    checkout.mkdir()
    for name in ("bootstrap", "pyproject.toml"):
        (checkout / name).symlink_to(REPOSITORY / name)
    (checkout / "requirements.lock").write_text("not-there @ file:///nowhere/at/all.whl\n")
    with pytest.raises(SystemExit) as ended:
        environment.ensure(str(checkout), "requirements.lock")
    assert "requirements.lock could not be installed" in str(ended.value)


def test_what_is_installed_is_not_installed_again(environment: ModuleType, tmp_path: Path) -> None:
    checkout = tmp_path / "a checkout"
    checkout.mkdir()
    for name in ("bootstrap", "pyproject.toml"):
        (checkout / name).symlink_to(REPOSITORY / name)
    (checkout / "requirements.lock").write_text("")
    made = environment.ensure(str(checkout), "requirements.lock")
    command = checkout / ".venv" / "bin" / "slipway"
    assert command.stat().st_mode & 0o111
    log = checkout / ".venv" / "install.log"
    log.write_text("untouched")
    environment.ensure(str(checkout), "requirements.lock")
    assert log.read_text() == "untouched"
    (checkout / "requirements.lock").write_text("# changed\n")
    environment.ensure(str(checkout), "requirements.lock")
    assert log.read_text() != "untouched"
    site = subprocess.run([made.python, "-c", "import slipway_cli"], capture_output=True, text=True, timeout=30)
    assert "No module named" in site.stderr  # this checkout has no packages, and no other one is seen


def test_no_lock_holds_an_address_or_a_path_of_this_machine() -> None:
    for lock in REPOSITORY.glob("requirements*.lock"):
        text = lock.read_text()
        assert "://" not in text
        assert "--index" not in text
        assert "--find-links" not in text
        assert text.count("==") >= 1
        assert all("--hash=sha256:" in text.split(line, 1)[1][:200] for line in text.splitlines() if "==" in line)
