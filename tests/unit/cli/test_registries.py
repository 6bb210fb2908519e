"""The user's package mirrors reach builds; the user's secrets don't."""

from pathlib import Path

import pytest

from slipway_cli.local.registries import build_environment


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PIP_INDEX_URL", "XDG_CONFIG_HOME", "PIP_CONFIG_FILE", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_mirrors_of_pip_and_npm_are_passed_on(user: Path) -> None:
    (user / ".config" / "pip").mkdir(parents=True)
    (user / ".config" / "pip" / "pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple\n")
    (user / ".npmrc").write_text("registry=https://mirror.example/npm\n//mirror.example/npm:_authToken=secret\n")
    environment = build_environment()
    assert environment["PIP_INDEX_URL"] == "https://mirror.example/simple"
    assert environment["NPM_CONFIG_REGISTRY"] == "https://mirror.example/npm"
    assert "secret" not in str(environment)


def test_the_environment_wins_over_files(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (user / ".pip").mkdir()
    (user / ".pip" / "pip.conf").write_text("[global]\nindex-url = https://file.example/\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://environment.example/")
    assert build_environment()["PIP_INDEX_URL"] == "https://environment.example/"


def test_nothing_else_of_the_environment_is_passed_on(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    assert "hidden" not in build_environment().values()


def test_a_broken_file_is_no_obstacle(user: Path) -> None:
    (user / ".pip").mkdir()
    (user / ".pip" / "pip.conf").write_text("index-url = without a section\n")
    build_environment()
