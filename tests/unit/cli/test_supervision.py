"""supervisord's configuration: whatever stands in a path or a secret, supervisord reads what we meant."""

import json
import os
import shlex
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from supervisor.options import ServerOptions

from slipway_cli.local import supervision
from slipway_cli.local.home import Home
from slipway_cli.local.supervision import Program, write_configuration


def read_back(home: Home) -> dict[str, list[str]]:
    """The commands as supervisord would run them, from where it runs."""
    here = Path.cwd()
    os.chdir(home.processes)
    try:
        options = ServerOptions()
        options.realize(["-c", str(home.supervisor_file), "-n"])
        return {
            process.name: shlex.split(process.command)
            for group in options.process_group_configs
            for process in group.process_configs
        }
    finally:
        os.chdir(here)


@pytest.fixture
def make_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "a home; with #signs 100%")
    for directory in (home.processes, home.logs, home.keys):
        directory.mkdir(parents=True)
    monkeypatch.setattr(Home, "sockets", tmp_path)
    return home


@given(
    argument=st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r", exclude_categories=["Cs"]), min_size=1)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_every_argument_arrives_as_it_is(make_home: Home, argument: str) -> None:
    programs = [Program(name=group, group=group, argv=["/bin/x", argument]) for group in supervision.GROUPS]
    write_configuration(make_home, programs)
    assert read_back(make_home)["services"][-2:] == ["/bin/x", argument]


def test_secrets_stand_in_a_file_of_their_own(make_home: Home) -> None:
    secret = 'it"s; a #%(secret)s'
    programs = [
        Program(name=group, group=group, argv=["/bin/x"], environment={"PASSWORD": secret})
        for group in supervision.GROUPS
    ]
    write_configuration(make_home, programs)
    assert "%(secret)" not in make_home.supervisor_file.read_text()
    file = make_home.processes / "services" / "environment.json"
    assert json.loads(file.read_text())["PASSWORD"] == secret
    assert file.stat().st_mode & 0o077 == 0
