"""The bus or the database away: nothing that was answered with 202 is lost, nothing else hangs."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from slipway_errors import Fault
from slipway_security import sealing
from slipway_security.keyfiles import write_key
from slipway_service import Life
from slipway_testing import eventually, free_port, started
from slipway_webhooks.__main__ import serve
from slipway_webhooks.settings import Settings

Gateway = Any


@pytest.fixture
async def nats(own_nats: Any) -> Any:
    """A server of the test's own: it is killed."""
    return own_nats


async def test_what_was_answered_with_202_is_in_the_stream_once_over_two_kills(gateway: Gateway, nats: Any) -> None:
    link = await gateway.link()
    accepted: list[str] = []
    stopping = asyncio.Event()

    async def send(sender: int) -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            id = f"{sender}-{number}"
            status, _ = await gateway.deliver(link, delivery=id)
            assert status in (202, 503)
            if status == 202:
                accepted.append(id)

    senders = [asyncio.create_task(send(sender)) for sender in range(8)]
    for _ in range(2):
        enough = len(accepted) + 100
        await eventually(lambda enough=enough: len(accepted) >= enough, 20)
        await nats.server.kill()
        await asyncio.sleep(0.5)
        await nats.server.start()
    enough = len(accepted) + 100
    await eventually(lambda: len(accepted) >= enough, 20)
    stopping.set()
    await asyncio.gather(*senders)
    await gateway.core.wait_connected(10)
    stored = [push.delivery_id for push in await gateway.pushes()]
    assert sorted(stored) == sorted(set(stored))
    assert set(accepted) <= set(stored)


@pytest.mark.parametrize("gateway", [{"publish_seconds": 0.5}], indirect=True)
async def test_with_the_bus_away_a_sender_is_told_to_come_back(gateway: Gateway, nats: Any) -> None:
    link = await gateway.link()
    await nats.server.kill()
    status, answer = await gateway.deliver(link)
    assert (status, answer["code"]) == (503, "unavailable")
    await nats.server.start()

    async def taken() -> bool:
        return (await gateway.deliver(link))[0] == 202

    await eventually(taken)


async def test_without_its_database_deliveries_are_taken_all_the_same(
    nats: Any, tmp_path: Path, bus_as: Callable[[str], Awaitable[Any]]
) -> None:
    write_key(tmp_path / "key", sealing.new_keypair().private)
    settings = Settings(
        nats_url=nats.url,
        nats_password=nats.passwords["webhooks"],
        postgres_url=f"postgresql://nobody:x@127.0.0.1:{free_port()}/none",
        private_key_file=str(tmp_path / "key"),
        listen_port=free_port(),
    )
    async with started(serve, settings), aiohttp.ClientSession() as session:

        async def answers() -> bool:
            url = f"http://127.0.0.1:{settings.listen_port}/hooks/github/none"
            async with session.post(url, json={}) as answer:
                return answer.status == 404

        await eventually(answers)


async def test_without_a_key_it_refuses_to_start(tmp_path: Path, nats: Any) -> None:
    settings = Settings(
        nats_url=nats.url,
        nats_password=nats.passwords["webhooks"],
        postgres_url="postgresql://nobody@127.0.0.1:1/none",
        private_key_file=str(tmp_path / "missing"),
    )
    with pytest.raises(Fault, match="missing"):
        await serve(settings, Life(1))
