"""Valkey for presence and rate limits: a cache with a password, without persistence. Nothing correct depends on it."""

import asyncio
import json
import secrets
from pathlib import Path

from slipway_embedded import binaries
from slipway_embedded.processes import Command, Server, launched, plain_environment, write_private

CONFIGURATION = """\
bind 127.0.0.1
port {port}
protected-mode yes
requirepass {password}
daemonize no
dir {directory}
save ""
appendonly no
maxmemory {memory_mib}mb
maxmemory-policy allkeys-lru
maxclients 1000
hz 5
timeout 0
tcp-keepalive 60
loglevel warning
"""


class ValkeyServer(Server):
    """One valkey-server in one directory; the password is made once and kept there, mode 0600."""

    name = "valkey"

    def __init__(self, directory: Path, port: int = 0, *, memory_mib: int = 64) -> None:
        super().__init__(directory, port)
        self.memory_mib = memory_mib

    @property
    def password(self) -> str:
        return (self.directory / "password").read_text().strip()

    @property
    def url(self) -> str:
        """With the password, for redis-py."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    async def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (self.directory / "password").exists():
            write_private(self.directory / "password", secrets.token_urlsafe(24))
        text = CONFIGURATION.format(
            port=self.port,
            password=self.password,
            directory=json.dumps(str(self.directory)),
            memory_mib=self.memory_mib,
        )
        write_private(self.directory / "valkey.conf", text)

    def command(self) -> Command:
        return Command(
            argv=launched([str(binaries.valkey_server()), str(self.directory / "valkey.conf")]),
            environment=plain_environment(),
            directory=self.directory,
        )

    async def ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(b"PING\r\n")
                # Without the password the answer is -NOAUTH: it listens and it asks for one.
                return (await asyncio.wait_for(reader.readline(), 5)).startswith(b"-NOAUTH")
            finally:
                writer.close()
        except (OSError, TimeoutError):
            return False
