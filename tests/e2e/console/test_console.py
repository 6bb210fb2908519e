"""The web console in a real browser against a platform of its own: `stories.mjs` plays, this starts and judges.

It needs Chromium (Debian's will do) and playwright-core (`npm ci` in console/); without them it says which is missing.
"""

import json
import os
import shutil
from pathlib import Path

import pytest

from slipway_testing.platform import REPOSITORY, platform, run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
STORIES = Path(__file__).parent / "stories.mjs"


def missing() -> str:
    """What has to be installed before the stories can be played; empty when nothing has."""
    if CHROMIUM is None:
        return "no Chromium: apt-get install chromium"
    if shutil.which("node") is None:
        return "no Node.js on PATH"
    if not (REPOSITORY / "console" / "node_modules" / "playwright-core").exists():
        return "no playwright-core: run npm ci in console/"
    return ""


@pytest.mark.skipif(bool(missing()), reason=f"the console's stories were not played: {missing()}")
async def test_the_console_does_what_a_newcomer_wants(tmp_path: Path) -> None:
    async with platform(tmp_path / "home", "--no-demo") as slipway:
        login = json.loads((await slipway.cli("status", "--login", "--json")).out)["login"]
        env = {
            **os.environ,
            "SLIPWAY_URL": slipway.url,
            "SLIPWAY_EMAIL": login["email"],
            "SLIPWAY_PASSWORD": login["password"],
            "SLIPWAY_HOME": str(slipway.home),
            "SLIPWAY_COMMAND": str(slipway.script),
            "SLIPWAY_SCREENSHOTS": str(tmp_path / "screenshots"),
            "CHROMIUM": str(CHROMIUM),
        }
        played = await run("node", str(STORIES), env=env, check=False, timeout_seconds=420)
    assert played.code == 0, f"{played.out}\n{played.err}"
