"""Limits of time are told in the terminal before they end it; recordings can be sealed."""

from pathlib import Path
from typing import Any

import pytest

from slipway_security import DecryptionFailed
from slipway_security.envelope import MasterKey, create_master_key
from slipway_shell.recording import opened
from slipway_testing import eventually

Shells = Any


@pytest.fixture
def changes(tmp_path: Path) -> dict[str, Any]:
    create_master_key(tmp_path / "recordings.key")
    return {"idle_seconds": 3.0, "warning_seconds": 2.0, "recordings_key_file": str(tmp_path / "recordings.key")}


async def test_an_idle_session_is_warned_and_then_ended(shells: Shells) -> None:
    shell = await shells.open()
    await shell.shows("nothing happens here")
    assert await shell.ended() == 1008
    assert "Nothing happened" in shell.reason
    await eventually(lambda: shells.children() == [])


async def test_a_sealed_recording_can_be_read_with_its_key_only(shells: Shells, tmp_path: Path) -> None:
    shell = await shells.open(command=["echo", "confidential"])
    await shell.ended()

    async def ended() -> Any:
        return [row for row in await shells.rows() if row["ended_at"]]

    row = (await eventually(ended))[0]
    path = Path(shells.settings.recordings_dir) / row["recording"]
    assert b"confidential" not in path.read_bytes()
    key = MasterKey.load(tmp_path / "recordings.key")
    assert b"confidential" in opened(path.read_bytes(), key)
    create_master_key(tmp_path / "other.key")
    for wrong in (None, MasterKey.load(tmp_path / "other.key")):
        with pytest.raises(DecryptionFailed):
            opened(path.read_bytes(), wrong)
