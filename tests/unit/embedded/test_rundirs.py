"""The directory of sockets: short, ours alone, never through a link."""

from pathlib import Path

import pytest

from slipway_embedded import run_directory
from slipway_embedded.problems import UnsafeDirectory
from slipway_embedded.rundirs import private_directory


def test_it_is_short_and_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    home = tmp_path / ("deep " * 20) / "home"
    found = run_directory(home)
    try:
        assert len(str(found / "platform.sock")) < 104
        assert found == run_directory(home)
        assert found != run_directory(tmp_path / "other")
        assert found.stat().st_mode & 0o077 == 0
    finally:
        found.rmdir()
        run_directory(tmp_path / "other").rmdir()


def test_one_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o700)
    (tmp_path / "open").chmod(0o755)
    with pytest.raises(UnsafeDirectory):
        private_directory(tmp_path / "open")


def test_a_link_somebody_put_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UnsafeDirectory):
        private_directory(tmp_path / "link")
