"""up, down, status: the platform on this machine."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from slipway_cli.context import of_home
from slipway_cli.local import secrets
from slipway_cli.local.console import Console
from slipway_cli.local.home import Home, HomeLock, home_at, prepare
from slipway_cli.local.node import install_node, machine_node, wheel_node
from slipway_cli.local.programs import WITH_HTTP
from slipway_cli.local.progress import Progress
from slipway_cli.local.start import Platform, answers_ready, start, stop_process
from slipway_cli.local.stop import stop
from slipway_cli.local.supervision import Supervisor, SupervisorAway, supervisor_pid
from slipway_cli.output import say, show_json, show_table, silence_logs
from slipway_cli.problems import CommandFailed

AsJSON = Annotated[bool, Parameter(name="--json")]
LITTLE_ROOM_BYTES = 64 * 1024 * 1024
WATCHER = Path(__file__).parent.parent / "local" / "watch.py"


async def up(
    *,
    detach: bool = False,
    home: Path | None = None,
    port: int | None = None,
    demo: bool = True,
    console: bool = True,
    as_json: AsJSON = False,
) -> int:
    """Start the platform, deploy the demo, and stay until Ctrl-C.

    Parameters
    ----------
    detach
        Return when everything runs; slipway down ends it.
    home
        Directory of everything that is kept (default: SLIPWAY_HOME, or .slipway in the checkout).
    port
        Port of the one address for console, API, git and services (default: the last one, or the first free one
        from 8080).
    demo
        Deploy the demo project, the first time.
    console
        Build the web console, when its sources changed.
    """
    place = home_at(home)
    prepare(place)
    if supervisor_pid(place) is not None:
        say(f"  already running at {place.public_url}; slipway down stops it")
        if as_json:
            show_json(await facts_of(place))
        return 0
    silence_logs()
    progress = Progress()
    with HomeLock(place), _stoppable() as stopped:
        try:
            platform = await _up(place, port, progress, detach=detach, demo=demo, console=console)
        except asyncio.CancelledError:
            if not stopped():
                raise
            say("  stopped; nothing is left running")
            return 0
        finally:
            progress.close()
        _screen(place, progress, detach=detach)
        if as_json:
            show_json(await facts_of(place))
        if not detach:
            _become_watcher(platform)
    return 0


async def _up(
    place: Home, port: int | None, progress: Progress, *, detach: bool, demo: bool, console: bool
) -> Platform:
    ticking = asyncio.create_task(progress.tick())
    building = asyncio.create_task(_build_console(place, progress)) if console else None
    node = asyncio.create_task(_ensure_node(place, progress))
    try:
        platform = await start(place, port, progress, end_with_us=not detach)
    except BaseException:
        for task in (building, node):
            if task is not None:
                task.cancel()
        raise
    try:
        progress.say(f"✓ {progress.seconds:5.1f} s  the platform runs at {place.public_url}")
        await node
        if place.state().get("restored"):
            await _serve_again(place, progress)
        if demo:
            await _deploy_demo(place, progress)
        if building is not None:
            await building
    except BaseException:
        await stop_process(platform.process)
        raise
    finally:
        ticking.cancel()
    return platform


async def _ensure_node(place: Home, progress: Progress) -> None:
    """Node.js for the console and for services that need it: the machine's own, or one from a wheel."""
    if machine_node() is not None or wheel_node() is not None:
        return
    try:
        async with progress.step("Node.js, which this machine doesn't have"):
            await asyncio.to_thread(install_node, place.logs / "node.log")
    except CommandFailed as failed:
        progress.say(f"✗ {failed.detail}")


async def _build_console(place: Home, progress: Progress) -> None:
    console = Console()
    if not console.exists or console.built():
        return
    try:
        async with progress.step("web console"):
            await console.build(place.logs / "console-build.log")
    except CommandFailed as failed:
        progress.say(f"✗ {failed.detail}")


async def _deploy_demo(place: Home, progress: Progress) -> None:
    from slipway_cli.local.demo import deploy_demo

    try:
        await deploy_demo(place, progress)
    except CommandFailed as failed:
        progress.say(f"✗ the demo: {failed.detail} [{failed.code}]")


async def _serve_again(place: Home, progress: Progress) -> None:
    """After a restore: what ran when the backup was made is deployed again, as it was."""
    from slipway_cli.local.again import deploy_again

    async with progress.step("services of the backup, deployed again"):
        failed = await deploy_again(of_home(place))
    place.remember(restored=False)
    for sentence in failed:
        progress.say(f"✗ {sentence}")


@contextlib.contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """SIGTERM, SIGINT and SIGHUP cancel what we do; gives whether one of them came."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    came: list[int] = []

    def cancel(number: int) -> None:
        came.append(number)
        say("\n  stopping …")
        if task is not None:
            task.cancel()

    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heard:
        loop.add_signal_handler(number, cancel, number)
    try:
        yield lambda: bool(came)
    finally:
        for number in heard:
            loop.remove_signal_handler(number)


def _become_watcher(platform: Platform) -> None:
    """What stays is small: a parent for the supervisor, that passes the signals on."""
    sys.stdout.flush()
    sys.stderr.flush()
    argv = [sys.executable, "-I", "-S", str(WATCHER), str(platform.process.pid), str(platform.home.path)]
    os.execv(sys.executable, argv)  # noqa: S606 - it takes this process's place


def _screen(place: Home, progress: Progress, *, detach: bool) -> None:
    from slipway_cli.local.demo import demo_address

    login = secrets.login(place)
    state = place.state()
    first = not state.get("login_shown")
    password = login["password"] if first else "see slipway status --login"
    place.remember(login_shown=True)
    lines = ["", f"  Slipway runs (after {progress.seconds:.0f} s).", ""]
    lines.append(f"    console   {place.public_url}")
    if address := demo_address(place):
        lines.append(f"    demo      {address}")
    lines.append(f"    login     {login['email']}   password: {password}")
    lines += ["", "  Try next", "    ./slipway services", "    ./slipway logs web -f", "    ./slipway shell web", ""]
    ending = "./slipway down stops" if detach else "Ctrl-C stops"
    lines.append(f"  {ending} everything; the data stays in {place.path}")
    if not _sandboxed():
        lines.append("  Warning: this machine allows no sandbox (bubblewrap): deploy only code that you trust.")
    say("\n".join(lines))


def _sandboxed() -> bool:
    from slipway_workloads import sandbox_works

    return sandbox_works()


async def down(*, home: Path | None = None, as_json: AsJSON = False) -> int:
    """Stop the platform, workloads too. The data stays."""
    place = home_at(home)
    stopped = place.path.is_dir() and await stop(place)
    if as_json:
        show_json({"stopped": stopped, "home": str(place.path)})
    else:
        say("  stopped; the data is kept" if stopped else f"  nothing was running in {place.path}")
    return 0


async def status(*, home: Path | None = None, login: bool = False, as_json: AsJSON = False) -> int:
    """Show the platform's processes and addresses.

    Parameters
    ----------
    login
        Show the first user's e-mail and password too.
    """
    place = home_at(home)
    facts = await facts_of(place)
    if login:
        facts["login"] = secrets.login(place) if place.exists else None
    if as_json:
        show_json(facts)
    else:
        _show(facts, place)
    return 0 if facts["running"] else 8


async def facts_of(place: Home) -> dict[str, Any]:
    """What `status --json` prints."""
    from slipway_cli.local.demo import demo_address

    pid = supervisor_pid(place)
    processes = await _processes(place) if pid is not None else {}
    return {
        "running": pid is not None,
        "home": str(place.path),
        "url": place.public_url if place.ports() else None,
        "demo": demo_address(place),
        "supervisor_pid": pid,
        "processes": processes,
        "token_file": str(place.token_file),
        "login_file": str(place.login_file),
        "recovery_key_file": str(place.recovery_key_file),
        "logs": str(place.logs),
        "problems": _problems(place),
    }


def _problems(place: Home) -> list[str]:
    """What a person should know before anything fails of it, a sentence each."""
    if not place.exists:
        return []
    free = shutil.disk_usage(place.path).free
    if free >= LITTLE_ROOM_BYTES:
        return []
    left = f"{free // (1024 * 1024)} MiB"
    return [f"The disk of {place.path} is full ({left} left): pushes, builds and logs are refused until there is room."]


async def _processes(place: Home) -> dict[str, dict[str, Any]]:
    try:
        known = await Supervisor(place).processes()
    except SupervisorAway:
        return {}
    ports = place.ports()
    found = {}
    for name, info in known.items():
        state = str(info["statename"])
        if state == "RUNNING" and name in WITH_HTTP and not await answers_ready(ports[name]):
            state = "STARTING"
        found[name] = {
            "state": state,
            "pid": info["pid"] or None,
            "seconds": max(0, info["now"] - info["start"]) if info["pid"] else 0,
            "port": ports.get(name),
            "log": str(place.logs / f"{name}.log"),
        }
    return found


def _show(facts: dict[str, Any], place: Home) -> None:
    if not facts["running"]:
        say(f"  not running: {place.path}; ./slipway up starts it")
    else:
        rows = [{"process": name, **about} for name, about in sorted(facts["processes"].items())]
        show_table(rows, ("process", "state", "pid", "seconds", "port"), empty="The supervisor does not answer.")
        print(f"\nconsole  {facts['url']}")
    for problem in facts["problems"]:
        say(f"  ✗ {problem}")
    if facts["demo"]:
        print(f"demo     {facts['demo']}")
    if facts.get("login"):
        print(f"login    {facts['login']['email']}   password: {facts['login']['password']}")
