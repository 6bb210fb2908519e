"""How long the links take to load, and what they weigh: python -m bench.webhook_links KEY_FILE COUNT, prints JSON."""

import asyncio
import gc
import json
import os
import sys
import time
from pathlib import Path

import uvloop

from slipway_bus import connect
from slipway_bus.tables import follow
from slipway_contracts.git import GIT_LINKS
from slipway_security.sealing import load_keypair
from slipway_webhooks.links import Links


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measure(key_file: str, count: int) -> None:
    links = Links(load_keypair(key_file).private)
    stopping = asyncio.Event()
    url, password = os.environ["BENCH_NATS_URL"], os.environ["BENCH_NATS_PASSWORD"]
    async with connect(url, name="webhooks", user="webhooks", password=password) as bus:
        table = await bus.table(GIT_LINKS)
        gc.collect()
        before, began, used = resident_bytes(), time.perf_counter(), time.process_time()
        following = asyncio.create_task(follow(table, links.apply, stopping))
        async with asyncio.timeout(60):
            while not links.loaded:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        took, used = time.perf_counter() - began, time.process_time() - used
        assert len(links.by_id) >= count, len(links.by_id)
        print(json.dumps({"seconds": took, "cpu_seconds": used, "mb": (resident_bytes() - before) / 1024 / 1024}))
        stopping.set()
        await following


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(sys.argv[1], int(sys.argv[2])))
