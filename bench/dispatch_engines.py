"""Many engines in one process: each with a connection and an account of its own, speaking the real contracts.

python -m bench.dispatch_engines   (JSON on stdin: url, public_key, engines [[cluster, user, password]], work_seconds)
Commands on further lines: `forget`, `told` (answers with one line of JSON: [step id, kind, seconds since the epoch]).
"""

import asyncio
import base64
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop

from slipway_contracts.base import Message
from slipway_contracts.tasks import REPORTED, ClusterReport, Hello, Report, TaskState

BATCH = 32
EXPIRES_SECONDS = 25
HELLO_SECONDS = 15.0


class Seen(Message, frozen=True, kw_only=True):
    """As much of a task as is needed to report it."""

    id: str
    kind: str
    fence: int
    service_id: str
    deployment_id: str
    step_id: str


DECODER = msgspec.json.Decoder(Seen)


class Engine(asyncio.Protocol):
    """One engine: pulls, says that it began, and after a while that it is done."""

    def __init__(self, fleet: "Fleet", cluster_id: str, user: str, password: str) -> None:
        self.fleet, self.cluster_id, self.user, self.password = fleet, cluster_id, user, password
        self.inbox = f"_INBOX.{user}.bench"
        self.reports = REPORTED.subject(cluster_id=cluster_id)
        self.buffer = b""
        self.left = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        options = {"user": self.user, "pass": self.password, "verbose": False, "headers": True, "no_responders": True}
        self.transport.write(
            b"CONNECT %s\r\nPING\r\nSUB %s 1\r\n" % (json.dumps(options).encode(), self.inbox.encode())
        )
        self.hello()
        self.pull()

    def hello(self) -> None:
        hello = Hello(
            cluster_id=self.cluster_id,
            sender="engine",
            instance_id=self.user,
            version="0.1.0",
            public_key=self.fleet.public_key,
            at=datetime.now(UTC),
        )
        self.publish(self.reports, msgspec.json.encode(ClusterReport(hello=hello)))

    def pull(self) -> None:
        self.left = BATCH
        request = b'{"batch":%d,"expires":%d}' % (BATCH, EXPIRES_SECONDS * 1_000_000_000)
        self.publish(f"$JS.API.CONSUMER.MSG.NEXT.TASKS.{self.cluster_id}", request, self.inbox)

    def publish(self, subject: str, data: bytes, reply: str = "") -> None:
        self.transport.write(b"PUB %s %s %d\r\n%s\r\n" % (subject.encode(), reply.encode(), len(data), data))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                return
            words = line.split(b" ")
            if words[0] not in (b"MSG", b"HMSG"):
                self.buffer = rest
                self.control(words[0], line)
                continue
            length = int(words[-1])
            if len(rest) < length + 2:
                return
            self.buffer = rest[length + 2 :]
            headers = int(words[-2]) if words[0] == b"HMSG" else 0
            reply = words[3] if len(words) > (5 if headers else 4) else b""
            self.came(rest[:headers], rest[headers:length], reply.decode())

    def control(self, word: bytes, line: bytes) -> None:
        if word == b"PING":
            self.transport.write(b"PONG\r\n")
        elif word == b"-ERR":
            self.fleet.problems.append(line.decode())

    def came(self, headers: bytes, data: bytes, reply: str) -> None:
        if not reply:
            # A status: the request is over, or there is no consumer yet.
            asyncio.get_running_loop().call_later(0.0 if b" 408" in headers else 1.0, self.pull)
            return
        task = DECODER.decode(data)
        self.fleet.told.append((task.step_id, task.kind, time.time()))
        self.report(task, reply, 1, TaskState.STARTED)
        asyncio.get_running_loop().call_later(self.fleet.work_seconds, self.done, task, reply)
        self.left -= 1
        if self.left == 0:
            self.pull()

    def done(self, task: Seen, reply: str) -> None:
        self.report(task, reply, 2, TaskState.SUCCEEDED, artifact="built" if task.kind == "build" else "")
        self.publish(reply, b"+ACK")

    def report(self, task: Seen, reply: str, sequence: int, state: TaskState, artifact: str = "") -> None:
        report = Report(
            cluster_id=self.cluster_id,
            engine_id=self.user,
            task_id=task.id,
            step_id=task.step_id,
            deployment_id=task.deployment_id,
            service_id=task.service_id,
            fence=task.fence,
            delivery=int(reply.split(".")[4]),
            sequence=sequence,
            state=state,
            artifact=artifact,
            at=datetime.now(UTC),
        )
        self.publish(self.reports, msgspec.json.encode(ClusterReport(report=report)))


class Fleet:
    """All engines of this process, and what came to them."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.public_key = base64.b64decode(wanted["public_key"])
        self.work_seconds = float(wanted["work_seconds"])
        self.engines = [Engine(self, *one) for one in wanted["engines"]]
        self.url = urlsplit(wanted["url"])
        self.told: list[tuple[str, str, float]] = []
        self.problems: list[str] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for engine in self.engines:
            await loop.create_connection(lambda engine=engine: engine, self.url.hostname, self.url.port)  # type: ignore[misc]
        hellos = asyncio.create_task(self.hellos())
        print("ready", flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            if line.strip() == "forget":
                self.told.clear()
            else:
                print(json.dumps({"told": self.told, "problems": self.problems[:5]}), flush=True)
        hellos.cancel()

    async def hellos(self) -> None:
        while True:
            for engine in self.engines:
                await asyncio.sleep(HELLO_SECONDS / len(self.engines))
                engine.hello()


if __name__ == "__main__":
    uvloop.run(Fleet(json.loads(sys.stdin.readline())).run())
