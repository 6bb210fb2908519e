"""The home: checks before anything is started, ports that stay."""

import os
import socket
from pathlib import Path

import pytest

from slipway_cli.local import home as homes
from slipway_cli.local.home import Home, HomeLock, choose_ports, prepare
from slipway_cli.problems import CommandFailed


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "a home")
    prepare(place)
    return place


def test_it_is_ours_alone(home: Home) -> None:
    assert home.path.stat().st_mode & 0o077 == 0
    assert home.keys.stat().st_mode & 0o077 == 0


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandFailed, match="file") as refused:
        prepare(Home(tmp_path / "file" / "home"))
    assert refused.value.code == "home.not_writable"


def test_a_full_disk_is_told_before_anything_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "LEAST_FREE_BYTES", 2**80)
    with pytest.raises(CommandFailed, match="MB left"):
        prepare(Home(tmp_path / "home"))


def test_ports_are_chosen_once_and_a_taken_inner_one_is_replaced(home: Home) -> None:
    first = choose_ports(home, None)
    assert len(set(first.values())) == len(first)
    assert choose_ports(home, None) == first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["nats"]))
        taken.listen()
        second = choose_ports(home, None)
    assert second["nats"] != first["nats"]
    assert {name for name in first if first[name] != second[name]} == {"nats"}


def test_a_taken_public_port_is_refused_with_what_to_do(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandFailed, match=rf"{port}.*--port"):
            choose_ports(home, port)


def test_two_commands_do_not_work_on_one_home_at_once(home: Home) -> None:
    with HomeLock(home), pytest.raises(CommandFailed, match="Another slipway command"), HomeLock(home):
        pass
    with HomeLock(home):
        pass


def test_the_default_home_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "x"))
    assert homes.default_home() == tmp_path / "x"
    monkeypatch.delenv("SLIPWAY_HOME")
    assert homes.default_home() == homes.REPOSITORY / ".slipway"
    assert os.fspath(homes.home_at(tmp_path).path) == str(tmp_path)
