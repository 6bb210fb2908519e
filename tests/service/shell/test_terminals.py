"""A terminal beside a service: what is typed arrives, what is printed comes back, and the end is told."""

import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pyte

from slipway_testing import eventually

Shells = Any


async def test_a_terminal_stands_in_the_service_with_its_environment(shells: Shells) -> None:
    shell = await shells.open(tty_width="90", tty_height="30")
    await shell.type("echo $GREETING; ls; hostname; stty size; tty >/dev/null && echo is-a-tty\n")
    await shell.shows("hello from the service\r\n")
    await shell.shows("app.py")
    await shell.shows("30 90")
    await shell.type("exit 7\n")
    assert await shell.ended() == 1000
    assert shell.exit_code == 7


async def test_it_cannot_see_the_machine_beyond_the_sandbox(shells: Shells) -> None:
    shell = await shells.open(
        command=["/bin/sh", "-c", f"ls {shells.layout.work_dir}; id -u; ls /proc | grep -c '^[0-9]'"]
    )
    await shell.ended()
    assert b"No such file" in shell.stdout
    assert b"\r\n0\r\n" not in shell.stdout


async def test_a_resize_reaches_the_program(shells: Shells) -> None:
    shell = await shells.open()
    await shell.type("trap 'stty size' WINCH; echo set-$((1+1))\n")
    await shell.shows("set-2")
    await shell.resize(77, 25)
    await shell.shows("25 77")
    await shell.resize(0, 0)
    await shell.resize(10**9, 10**9)
    await shell.type("stty size; echo still here\n")
    await shell.shows("1000 1000")
    await shell.shows("still here\r\n")


async def test_a_full_screen_program_draws_what_it_should(shells: Shells) -> None:
    script = "printf '\\033[2J\\033[5;10Hmiddle'; printf 'ünï'"
    shell = await shells.open(tty_width="40", tty_height="10", command=["/bin/sh", "-c", script])
    await shell.ended()
    screen = pyte.Screen(40, 10)
    pyte.ByteStream(screen).feed(shell.stdout)
    assert screen.display[4][9:].rstrip() == "middleünï"


async def test_an_interrupt_works_at_once_under_a_flood(shells: Shells) -> None:
    shell = await shells.open()
    await shell.type("yes\n")
    await shell.shows("y\r\ny\r\ny\r\n")
    before = len(shell.stdout)
    while len(shell.stdout) < before + 2_000_000:
        await shell.receive()
    began = time.monotonic()
    await shell.type(b"\x03")
    await shell.type("echo stop-$((40+2))\n")
    await shell.shows("stop-42")
    assert time.monotonic() - began < 2


async def test_a_client_that_does_not_read_pauses_the_program(shells: Shells) -> None:
    shell = await shells.open(command=["/bin/sh", "-c", "head -c 30000000 /dev/zero | tr '\\0' x; echo done"])
    await shell.receive()
    transport = shell.ws._response.connection.transport
    transport.pause_reading()
    session = next(iter(shells.sessions._open.values()))

    async def stands_still() -> bool:
        produced = session._produced
        await asyncio.sleep(0.3)
        return session._paused and session._produced == produced < 20_000_000

    assert await eventually(stands_still)
    transport.resume_reading()
    await shell.ended(60)
    assert shell.stdout.count(b"x") == 30_000_000
    assert shell.stdout.endswith(b"done\r\n")


async def test_a_large_paste_arrives_whole(shells: Shells) -> None:
    text = "".join(f"{number:06d}\n" for number in range(150_000)).encode()
    expected = hashlib.sha256(text).hexdigest()
    shell = await shells.open(tty="false", command=["sha256sum"])
    for start in range(0, len(text), 10_000):
        await shell.type(text[start : start + 10_000])
    await shell.eof()
    await shell.ended()
    assert shell.stdout.split()[0].decode() == expected
    assert shell.exit_code == 0


async def test_without_a_terminal_bytes_are_exact_and_streams_apart(shells: Shells) -> None:
    shell = await shells.open(tty_height="0", command=["/bin/sh", "-c", "cat; echo problem >&2; exit 3"])
    payload = bytes(range(256)) * 100
    await shell.type(payload)
    await shell.eof()
    assert await shell.ended() == 1000
    assert (shell.stdout, shell.stderr, shell.exit_code) == (payload, b"problem\n", 3)


async def test_a_program_that_reads_nothing_can_be_interrupted(shells: Shells) -> None:
    shell = await shells.open()
    await shell.type("stty -icanon; echo set-$((1+1)); sleep 1000\n")
    await shell.shows("set-2")
    for _ in range(100):
        await shell.type(b"z" * 10_000)
    await shell.type(b"\x03")
    await shell.type("echo back-$((40+2))\n")
    await shell.shows("back-42")


async def test_raw_frames_are_the_bytes_of_the_terminal(shells: Shells) -> None:
    shell = await shells.open(
        protocol="", **{"command[0]": "/bin/sh", "command[1]": "-c", "command[2]": "echo a b; cat"}
    )
    await shell.shows("a b\r\n")
    await shell.type("typed\n")
    await shell.shows("typed\r\ntyped\r\n")
    await shell.type(b"\x04")
    assert await shell.ended() == 1000
    assert "exit code 0" in shell.reason


async def test_a_command_is_never_read_by_a_shell(shells: Shells) -> None:
    shell = await shells.open(command=["echo", "$HOME; touch /tmp/x", "`id`", "--help"])
    await shell.ended()
    assert shell.stdout == b"$HOME; touch /tmp/x `id` --help\r\n"


async def test_bytes_lost_with_the_bus_are_sent_again(shells: Shells) -> None:
    shell = await shells.open(command=["/bin/sh", "-c", "for i in $(seq 1 2000); do echo line $i; sleep 0.002; done"])
    await shell.shows("line 50\r\n")
    await shells.nats.server.kill()
    await shells.nats.server.start()
    assert await shell.ended(60) == 1000
    assert shell.stdout.decode().split() == " ".join(f"line {number}" for number in range(1, 2001)).split()


async def test_the_session_is_recorded_for_replay(shells: Shells) -> None:
    shell = await shells.open(command=["/bin/sh", "-c", "printf 'gr\\303'; sleep 0.2; printf '\\274n'; cat >/dev/null"])
    await shell.shows("grün")
    await shell.resize(100, 20)
    await shell.type("secret password\n")
    await asyncio.sleep(0.1)
    await shell.type(b"\x04")
    await shell.ended()
    row = (await eventually(lambda: _ended(shells)))[0]
    path = Path(shells.settings.recordings_dir) / row["recording"]
    header, *events = [json.loads(line) for line in path.read_text().splitlines()]
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    printed = "".join(text for _, kind, text in events if kind == "o")
    assert "grün" in printed
    assert [text for _, kind, text in events if kind == "r"] == ["100x20"]
    assert path.stat().st_mode & 0o077 == 0
    assert row["exit_code"] == 0
    assert row["output_bytes"] > 0
    assert row["user_name"] == "devops-user@x.org"


async def _ended(shells: Shells) -> Any:
    rows = await shells.rows()
    return rows if rows and all(row["ended_at"] for row in rows) else None


async def test_beginning_and_end_are_told(shells: Shells) -> None:
    shell = await shells.open(command=["true"])
    await shell.ended()

    async def told() -> Any:
        news = await shells.news()
        return news if len(news) == 2 else None

    opened, ended = await eventually(told)
    assert (opened.verb, ended.verb) == ("opened", "ended")
    assert opened.user == "devops-user@x.org"
    assert opened.command == ["true"]
    assert opened.service_id == shells.place.service_id
