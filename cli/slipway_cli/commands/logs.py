"""logs: what a service said, and with -f what it goes on to say."""

import asyncio
import contextlib
import signal
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from slipway_cli import context, names
from slipway_cli.api import Client
from slipway_cli.centrifugo import CaughtUp, Gap, Publication, Subscription

AsJSON = Annotated[bool, Parameter(name="--json")]
HISTORY_BATCHES = 1000


async def logs(
    service: str,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"])] = False,
    timestamps: Annotated[bool, Parameter(name=["--timestamps", "-t"])] = False,
    as_json: AsJSON = False,
) -> int:
    """Show the log of a service.

    Parameters
    ----------
    service
        Name, path (project/environment/name) or id.
    follow
        Go on with what comes, until Ctrl-C.
    timestamps
        Begin each line with its time.
    """
    printer = Printer(timestamps=timestamps, as_json=as_json)
    async with Client(context.current()) as client:
        found = await names.find_service(client, service)
        following = asyncio.create_task(_follow(client, found.id, printer, for_ever=follow))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, following.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await following
    return 0


async def _follow(client: Client, service_id: str, printer: "Printer", *, for_ever: bool) -> None:
    async with aclosing(Subscription(client, f"logs:{service_id}", HISTORY_BATCHES).follow()) as stream:
        async for news in stream:
            match news:
                case Publication(data=data):
                    printer.batch(data)
                case Gap():
                    printer.gap()
                case CaughtUp() if not for_ever:
                    return


class Printer:
    """Writes each line once: batches may come twice, lines are known by (epoch, sequence)."""

    def __init__(self, *, timestamps: bool, as_json: bool) -> None:
        self._timestamps = timestamps
        self._as_json = as_json
        self._seen: dict[str, int] = {}

    def batch(self, data: dict[str, Any]) -> None:
        epoch = str(data.get("epoch", ""))
        for sequence, time_ns, stream, text, *_ in data.get("lines", []):
            if sequence <= self._seen.get(epoch, -1):
                continue
            self._seen[epoch] = sequence
            self._line(int(time_ns), str(stream), str(text), str(data.get("source", "")))
        sys.stdout.flush()

    def gap(self) -> None:
        if not self._as_json:
            print("… some lines are no longer kept …", file=sys.stderr, flush=True)

    def _line(self, time_ns: int, stream: str, text: str, source: str) -> None:
        at = datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds")
        if self._as_json:
            show_json_line({"at": at, "stream": stream, "source": source, "text": text})
        else:
            print(f"{at}  {text}" if self._timestamps else text)


def show_json_line(value: dict[str, Any]) -> None:
    import json

    print(json.dumps(value, ensure_ascii=False))
