"""What every command has in common: exit codes, one sentence, JSON for scripts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipway_cli.api import problem
from slipway_cli.local.home import REPOSITORY

TABLE = REPOSITORY / "docs" / "cli.md"


def slipway(*arguments: str, home: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    env = {key: value for key, value in os.environ.items() if not key.startswith("SLIPWAY_")}
    env |= {"SLIPWAY_HOME": str(home), "XDG_CONFIG_HOME": str(home), **more}
    command = [sys.executable, "-P", "-m", "slipway_cli", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "arguments", [["services"], ["logs", "web"], ["deploy", "web"], ["dead", "list"], ["projects"]]
)
def test_without_a_platform_each_command_says_what_to_do(tmp_path: Path, arguments: list[str]) -> None:
    done = slipway(*arguments, home=tmp_path)
    assert done.returncode == 8
    assert "slipway up" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_failure_is_json_when_that_was_asked_for(tmp_path: Path) -> None:
    done = slipway("services", "--json", home=tmp_path)
    assert json.loads(done.stderr)["error"]["code"] == "platform.not_running"
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["nonsense"], ["up", "--port", "x"], ["logs"], ["env", "set"]])
def test_wrong_usage_ends_with_2(tmp_path: Path, arguments: list[str]) -> None:
    done = slipway(*arguments, home=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_status_of_nothing_is_json_and_8(tmp_path: Path) -> None:
    done = slipway("status", "--json", home=tmp_path / "none")
    assert done.returncode == 8
    status = json.loads(done.stdout)
    assert status["running"] is False
    assert status["processes"] == {}


def test_down_of_nothing_is_no_error(tmp_path: Path) -> None:
    assert slipway("down", home=tmp_path / "none").returncode == 0


def test_an_address_without_a_token_is_refused(tmp_path: Path) -> None:
    done = slipway("services", home=tmp_path, SLIPWAY_URL="http://localhost:1")
    assert done.returncode == 3
    assert "SLIPWAY_TOKEN" in done.stderr


@pytest.mark.parametrize(
    ("status", "code"), [(401, 3), (403, 4), (404, 5), (409, 6), (422, 7), (400, 7), (429, 8), (500, 8), (503, 8)]
)
def test_each_kind_of_problem_has_its_exit_code(status: int, code: int) -> None:
    assert problem(status, "").exit_code == code
    assert f"| {code} |" in TABLE.read_text()


def test_a_problem_document_becomes_its_sentence_with_the_wrong_fields() -> None:
    document = {
        "title": "The request is not valid.",
        "detail": "Two fields are wrong.",
        "code": "request.invalid",
        "errors": [{"path": "$.name", "message": "is empty"}],
    }
    failed = problem(422, json.dumps(document))
    assert failed.detail == "Two fields are wrong — $.name: is empty."
    assert failed.code == "request.invalid"


def test_an_answer_that_is_no_problem_document_is_still_a_sentence() -> None:
    for text in ("", "<html>", "[]", '"text"', "null"):
        assert "502" in problem(502, text).detail


def test_help_lists_every_verb_with_a_sentence(tmp_path: Path) -> None:
    shown = slipway("--help", home=tmp_path).stdout
    for verb in ("up", "down", "status", "backup", "restore", "login", "services", "deploy", "logs", "shell", "env"):
        line = next(line for line in shown.splitlines() if line.strip("│ ").startswith(verb + " "))
        assert len(line.strip("│ ").split(maxsplit=1)) == 2, line
