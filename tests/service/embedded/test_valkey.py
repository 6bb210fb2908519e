"""Valkey from its wheel: a cache with a password that leaves nothing behind."""

from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from slipway_embedded import ValkeyServer


async def test_it_asks_for_the_password_and_keeps_nothing_on_disk(tmp_path: Path) -> None:
    async with ValkeyServer(tmp_path / "a cache") as server:
        async with Redis.from_url(server.url) as client:
            await client.set("key", "value")
            assert (await client.config_get("maxmemory"))["maxmemory"] == str(64 * 2**20)
            assert (await client.config_get("save"))["save"] == ""
        async with Redis.from_url(f"redis://127.0.0.1:{server.port}") as stranger:
            with pytest.raises(AuthenticationError):
                await stranger.get("key")
        first = server.password
        await server.kill()
        await server.start()
        assert server.password == first
        async with Redis.from_url(server.url) as client:
            assert await client.get("key") is None
    assert (tmp_path / "a cache" / "password").stat().st_mode & 0o077 == 0
    assert not list((tmp_path / "a cache").glob("*.rdb"))


async def test_the_password_stands_in_no_argument(valkey_server: ValkeyServer) -> None:
    arguments = Path(f"/proc/{valkey_server.pid}/cmdline").read_bytes()
    assert valkey_server.password.encode() not in arguments
