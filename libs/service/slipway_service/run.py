"""Start a service: settings, logs, event loop, signals, exit code."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import msgspec
import structlog
import uvloop

from slipway_errors import Fault
from slipway_service.life import Life
from slipway_service.logs import setup_logs
from slipway_service.settings import settings_from_environment
from slipway_service.workers import parent_gone, run_workers, worker_number

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")
Serve = Callable[[S, Life], Awaitable[None]]
log = structlog.get_logger()


def run(serve: Serve[S], settings_type: type[S]) -> NoReturn:
    """Run a service until SIGTERM or SIGINT, and end the process with its exit code (0 only after an orderly end).

    `serve` opens things and spawns loops, then returns. With `settings.workers` > 1 that many processes serve, sharing
    the port; this one only watches over them.
    """
    settings = _settings(settings_type)
    workers = getattr(settings, "workers", 1)
    if workers > 1 and worker_number() is None:
        sys.exit(_loop(run_workers(workers, getattr(settings, "stop_seconds", 20.0))))
    sys.exit(_loop(_live(serve, settings)))


def run_once(command: Callable[[S], Coroutine[Any, Any, T]], settings_type: type[S]) -> T:
    """Run one command of a service (a migration) with its settings and logs; a Fault ends it with a sentence."""
    settings = _settings(settings_type)
    try:
        return _loop(command(settings))
    except Fault as fault:
        _refuse(fault)


def _settings(settings_type: type[S]) -> S:
    service = service_name(settings_type)
    try:
        settings = settings_from_environment(settings_type)
    except Fault as fault:
        setup_logs(service)
        _refuse(fault)
    setup_logs(service, getattr(settings, "log_level", "info"))
    return settings


def service_name(settings_type: type[Any]) -> str:
    """`core` for the Settings of slipway_core."""
    return settings_type.__module__.split(".")[0].removeprefix("slipway_")


def _refuse(fault: Fault) -> NoReturn:
    log.error("refused to start", detail=fault.detail, code=fault.code, **fault.facts)
    sys.exit(2)


def _loop(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _live(serve: Serve[S], settings: S) -> int:
    life = Life(getattr(settings, "stop_seconds", 20.0), worker_number())
    _stop_on_signals(life.stopping)
    parent_gone(life.stopping.set)
    try:
        await life.live(lambda life: _open(serve, settings, life))
    except Fault as fault:
        log.error("refused to start", detail=fault.detail, code=fault.code)
        return 2
    except Exception:
        log.exception("failed to start")
        return 1
    log.info("stopped", failed=life.failed)
    return 1 if life.failed else 0


async def _open(serve: Serve[S], settings: S, life: Life) -> None:
    await serve(settings, life)
    # What exists now lives as long as the process: the collector needn't walk it again and again.
    gc.collect()
    gc.freeze()
    log.info("ready", worker=life.worker)


def _stop_on_signals(stopping: asyncio.Event) -> None:
    """The first signal stops in order, a second one at once. Also where a shell started us with SIGINT ignored."""
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if stopping.is_set():
            log.warning("stopped at once", signal=number.name)
            sys.stderr.flush()
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
