"""What the webhook gateway is measured against: python -m bench.webhook_rivals bare|naive PORT

`bare` reads the body and answers 202: the least that an aiohttp application does. `naive` is what one writes first:
check the signature, publish the payload with nats-py's `js.publish`, answer.
"""

import asyncio
import hmac
import os
import sys
from typing import Any

import nats
import uvloop
from aiohttp import web


async def bare(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=202)


def naive(stream: Any, secret: bytes) -> Any:
    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        given = request.headers.get("X-Hub-Signature-256", "")
        if not hmac.compare_digest("sha256=" + hmac.new(secret, body, "sha256").hexdigest(), given):
            return web.Response(status=401)
        headers = {"Nats-Msg-Id": request.headers["X-GitHub-Delivery"]}
        await stream.publish(os.environ["BENCH_SUBJECT"], body, headers=headers)
        return web.Response(status=202)

    return handle


async def serve(kind: str, port: int) -> None:
    application = web.Application()
    handler: Any = bare
    if kind == "naive":
        connection = await nats.connect(
            os.environ["BENCH_NATS_URL"],
            user=os.environ["BENCH_NATS_USER"],
            password=os.environ["BENCH_NATS_PASSWORD"],
            inbox_prefix=f"_INBOX.{os.environ['BENCH_NATS_USER']}",
        )
        handler = naive(connection.jetstream(), os.environ["BENCH_SECRET"].encode())
    application.router.add_post("/hooks/{provider}/{link}", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve(sys.argv[1], int(sys.argv[2])))
