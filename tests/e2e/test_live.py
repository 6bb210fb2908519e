"""Logs, terminals and timetables, through the command line."""

import asyncio
import os
import pty
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slipway_testing import applications
from slipway_testing.platform import Application, Environment, until


async def running_web(environment: Environment, work: Path, text: str = "x") -> Application:
    web = await environment.application("web", applications.web(text), work)
    assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
    return web


async def test_logs_follow_shows_history_then_what_comes(environment: Environment, work: Path) -> None:
    web = await running_web(environment, work, "loggy")
    await web.page("/before")
    process = await asyncio.create_subprocess_exec(
        str(environment.platform.script),
        *("logs", web.id, "-f"),
        env=environment.platform.env | {"SLIPWAY_HOME": str(environment.platform.home)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    seen: list[str] = []
    try:
        async with asyncio.timeout(60):
            for expected in ("listening: loggy", "/before"):
                while not any(expected in line for line in seen):
                    seen.append((await process.stdout.readline()).decode())
            await web.page("/after")
            while not any("/after" in line for line in seen):
                seen.append((await process.stdout.readline()).decode())
        assert sum("/before" in line for line in seen) == 1
    finally:
        process.terminate()
        await process.wait()


async def test_a_terminal_opens_beside_the_service_and_follows_a_resize(environment: Environment, work: Path) -> None:
    web = await running_web(environment, work)
    await environment.platform.api(
        "POST", f"/application/{web.id}/environmentVariable", {"key": "COLOUR", "value": "green"}
    )
    web.write(applications.web("again"))
    assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
    leader, follower = pty.openpty()
    resize(leader, 40, 100)
    process = await asyncio.create_subprocess_exec(
        str(environment.platform.script),
        *("shell", web.id),
        env=environment.platform.env | {"SLIPWAY_HOME": str(environment.platform.home), "TERM": "xterm"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(follower)
    screen = Screen(leader)
    try:
        await screen.shows("$", "#")
        screen.type("echo colour=$COLOUR; stty size; ls\n")
        await screen.shows("colour=green")
        await screen.shows("40 100")
        await screen.shows("app.py")
        resize(leader, 25, 77)
        screen.type("stty size\n")
        await screen.shows("25 77")
        screen.type("exit 7\n")
        assert await asyncio.wait_for(process.wait(), 20) == 7
    finally:
        if process.returncode is None:
            process.kill()
        screen.close()

    async def audited() -> bool:
        audit = await environment.platform.api("GET", f"/organization/{environment.platform.organization_id}/events")
        return any("SHELL" in event["event_type"] for event in audit["events"])

    await until(audited, 20, "the session in the audit log")


def take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def resize(terminal: int, rows: int, columns: int) -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Screen:
    """What a terminal received, as text without its escape sequences."""

    def __init__(self, terminal: int) -> None:
        self.terminal = terminal
        self.text = ""
        asyncio.get_running_loop().add_reader(terminal, self.read)

    def read(self) -> None:
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            asyncio.get_running_loop().remove_reader(self.terminal)
            return
        self.text += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", data.decode(errors="replace"))

    def type(self, text: str) -> None:
        self.text = ""
        os.write(self.terminal, text.encode())

    async def shows(self, *any_of: str) -> None:
        async def shown() -> bool:
            return any(text in self.text for text in any_of)

        try:
            await until(shown, 30, f"{any_of} on the terminal")
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows:\n{self.text}") from None

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.terminal)
        os.close(self.terminal)


async def test_a_timetable_stops_the_environment_when_its_time_has_come(environment: Environment, work: Path) -> None:
    web = await running_web(environment, work)
    now = datetime.now(UTC) + timedelta(seconds=65)
    rule = {
        "auto_stop": True,
        "auto_preview": False,
        "on_demand_preview": False,
        "timezone": "UTC",
        "start_time": iso(now - timedelta(hours=6)),
        "stop_time": iso(now),
        "weekdays": ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"],
    }
    rules = await environment.platform.api("GET", f"/environment/{environment.id}/deploymentRule")
    await environment.platform.api("PUT", f"/environment/{environment.id}/deploymentRule/{rules['id']}", rule)

    async def stopped() -> bool:
        status = await environment.platform.api("GET", f"/application/{web.id}/status")
        return bool(status["state"] == "STOPPED")

    await until(stopped, 150, "the stop by the timetable")
    assert (await web.page())[0] >= 400


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:00.000Z")
