"""PyPI's centrifuge-python, as people use it: tokens, subscriptions, recovery through lost connections."""

import asyncio
from typing import Any

from centrifuge import (
    Client,
    ClientEventHandler,
    DisconnectedContext,
    PublicationContext,
    SubscribedContext,
    SubscriptionEventHandler,
    UnsubscribedContext,
)

from slipway_testing import eventually, started
from slipway_websocket.__main__ import serve

Gate = World = Any


class Events(SubscriptionEventHandler):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.subscribed: list[SubscribedContext] = []
        self.unsubscribed: list[UnsubscribedContext] = []

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.texts += [line[3] for line in ctx.pub.data["lines"]]

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        self.subscribed.append(ctx)

    async def on_unsubscribed(self, ctx: UnsubscribedContext) -> None:
        self.unsubscribed.append(ctx)


class Ends(ClientEventHandler):
    def __init__(self) -> None:
        self.codes: list[int] = []

    async def on_disconnected(self, ctx: DisconnectedContext) -> None:
        self.codes.append(ctx.code)


def numbered(count: int) -> list[str]:
    return [f"line {number}" for number in range(1, count + 1)]


async def test_lines_arrive_once_through_lost_connections_and_restarts(world: World, settings: Any) -> None:
    token = await world.person()
    events = Events()
    client = Client(f"ws://127.0.0.1:{settings.listen_port}/connection/websocket", token=token, max_reconnect_delay=0.5)
    subscription = client.new_subscription(f"logs:{world.service}", events)
    async with started(serve, settings):
        await world.log(2)
        await client.connect()
        await subscription.subscribe()
        await eventually(lambda: events.texts == numbered(2))
        await world.log(3)
        await eventually(lambda: events.texts == numbered(5))
        for _ in range(3):
            (await eventually(lambda: client._conn)).transport.abort()
            await world.log(2)
        await eventually(lambda: events.texts == numbered(11))
    await world.log(4)  # nobody is there to see it
    async with started(serve, settings):
        await eventually(lambda: events.texts == numbered(15), 15)
        await world.log(1)
        await eventually(lambda: events.texts == numbered(16))
        await client.disconnect()
    assert all(context.recovered for context in events.subscribed if context.was_recovering)


async def test_history_and_refusals_reach_the_client(gate: Gate, world: World) -> None:
    await world.log(4)
    token = await world.person()
    await gate.connected(token)
    client = Client(gate.url, token=token)
    await client.connect()
    events = Events()
    subscription = client.new_subscription(f"logs:{world.service}", events)
    await subscription.subscribe()
    await subscription.ready()
    history = await subscription.history(limit=10)
    assert [line[3] for publication in history.publications for line in publication.data["lines"]] == numbered(4)
    refused = Events()
    await client.new_subscription("logs:nonsense", refused).subscribe()
    await eventually(lambda: [context.code for context in refused.unsubscribed] == [102])
    await client.disconnect()


async def test_a_revoked_token_keeps_the_client_away(gate: Gate, world: World) -> None:
    token = await world.machine()
    await (await gate.connected(token)).ws.close()
    ends = Ends()
    client = Client(gate.url, token=token, events=ends)
    await client.connect()
    await client.ready()
    await world.revoke(token)
    await eventually(lambda: ends.codes == [3500], 3)
    await asyncio.sleep(0)
