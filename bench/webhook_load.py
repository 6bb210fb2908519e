"""A sender of webhooks: as many as go through N connections, or so many per second. Prints one line of JSON.

python -m bench.webhook_load PORT CONNECTIONS SECONDS [RATE]   (path, headers and body on stdin, as JSON)
"""

import asyncio
import json
import sys
import time
from collections import deque
from typing import Any

import uvloop

WARM_SECONDS = 0.5


class Sender(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.due = 0.0
        self.busy = False
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def send(self, due: float) -> None:
        self.due, self.busy = due, True
        self.load.sent += 1
        self.transport.write(b"".join((self.load.head, b"%d-%d" % (self.load.run, self.load.sent), self.load.rest)))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length or 0):
            return
        self.buffer, self.busy = b"", False
        self.load.answered(self, head[9:12])

    def connection_lost(self, error: Exception | None) -> None:
        if not self.load.over:
            self.load.failed += 1


class Load:
    """All connections and what came back."""

    def __init__(self, request: dict[str, Any], port: int) -> None:
        headers = {"Host": f"127.0.0.1:{port}", **request["headers"], "Content-Length": str(len(request["body"]))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.head = f"POST {request['path']} HTTP/1.1\r\n{lines}{request['id_header']}: ".encode()
        self.rest = b"\r\n\r\n" + request["body"].encode()
        self.run = time.time_ns()
        self.sent = self.failed = 0
        self.statuses: dict[str, int] = {}
        self.latencies: list[float] = []
        self.over = False
        self.rate = 0.0
        self.idle: deque[Sender] = deque()
        self.counting_from = 0.0

    def answered(self, sender: Sender, status: bytes) -> None:
        now = time.perf_counter()
        if now >= self.counting_from:
            self.statuses[status.decode()] = self.statuses.get(status.decode(), 0) + 1
            self.latencies.append(now - sender.due)
        if self.over:
            return
        if self.rate:
            self.idle.append(sender)
        else:
            sender.send(now)


async def run(port: int, connections: int, seconds: float, rate: float) -> None:
    load = Load(json.load(sys.stdin), port)
    loop = asyncio.get_running_loop()
    senders = [(await loop.create_connection(lambda: Sender(load), "127.0.0.1", port))[1] for _ in range(connections)]
    load.rate = rate
    load.counting_from = time.perf_counter() + WARM_SECONDS
    began = load.counting_from
    if rate:
        load.idle.extend(senders)
        await paced(load, seconds + WARM_SECONDS)
    else:
        for sender in senders:
            sender.send(time.perf_counter())
        await asyncio.sleep(seconds + WARM_SECONDS)
    took = time.perf_counter() - began
    load.over = True
    done = sorted(load.latencies)
    print(
        json.dumps(
            {
                "answered": len(done),
                "sent": load.sent,
                "seconds": took,
                "statuses": load.statuses,
                "failed": load.failed,
                "p50_ms": 1000 * done[len(done) // 2] if done else 0,
                "p99_ms": 1000 * done[int(len(done) * 0.99)] if done else 0,
            }
        )
    )


async def paced(load: Load, seconds: float) -> None:
    """Each request has its due time; one that finds no free connection waits, and its wait counts."""
    began = time.perf_counter()
    number = 0
    while (now := time.perf_counter()) < began + seconds:
        while load.idle and began + number / load.rate <= now:
            load.idle.popleft().send(began + number / load.rate)
            number += 1
        await asyncio.sleep(0.0005)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            run(int(arguments[0]), int(arguments[1]), float(arguments[2]), float(arguments[3]) if arguments[3:] else 0)
        )
