"""nats-server with JetStream. Accounts come from a file that is included, so that a reload changes them alone."""

import asyncio
import json
import os
import signal
from pathlib import Path

from slipway_embedded import binaries
from slipway_embedded.problems import ServerFailed
from slipway_embedded.processes import Command, Server, free_port, launched, plain_environment, write_private

MIB = 1024 * 1024

CONFIGURATION = """\
server_name: {name}
listen: "127.0.0.1:{port}"
{monitor}
pid_file: {pid_file}
max_payload: 8MB
max_pending: 128MB
max_control_line: 4KB
write_deadline: "10s"
ping_interval: "20s"
jetstream {{
  store_dir: {store}
  max_memory_store: 64MB
  max_file_store: 256GB
  sync_interval: {sync_interval}
}}
{accounts}
"""


class NatsServer(Server):
    """One nats-server in one directory: `nats.conf`, `accounts.conf`, `nats.pid`, `jetstream/`."""

    name = "nats"

    def __init__(
        self,
        directory: Path,
        config_text: str | None = None,
        accounts: str | None = None,
        port: int = 0,
        *,
        monitor: bool = True,
        sync_interval: str = "1s",
        memory_limit_mib: int = 200,
    ) -> None:
        """`accounts`: text of accounts.conf for the first start (a file that is there already wins).

        `config_text` replaces our whole configuration, `{port}` and `{directory}` filled in. `monitor` opens the
        HTTP monitoring port, which knows no password: tests only. `sync_interval` is JetStream's fsync period.
        """
        super().__init__(directory, port)
        self.config_text = config_text
        self.accounts = accounts
        self.sync_interval = sync_interval
        self.memory_limit_mib = memory_limit_mib
        self._monitor_port = free_port() if monitor else 0

    @property
    def url(self) -> str:
        """Without credentials: they belong to whoever connects."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def monitor_url(self) -> str:
        return f"http://127.0.0.1:{self._monitor_port}" if self._monitor_port else ""

    @property
    def accounts_file(self) -> Path:
        """What to rewrite before `reload()`; included by the configuration."""
        return self.directory / "accounts.conf"

    @property
    def pid_file(self) -> Path:
        return self.directory / "nats.pid"

    async def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.accounts is not None and not self.accounts_file.exists():
            write_private(self.accounts_file, self.accounts)
        write_private(self.directory / "nats.conf", self._configuration())

    def command(self) -> Command:
        return Command(
            argv=launched([str(binaries.nats_server()), "-c", str(self.directory / "nats.conf")]),
            environment=plain_environment(GOMEMLIMIT=f"{self.memory_limit_mib}MiB"),
            directory=self.directory,
        )

    async def ready(self) -> bool:
        """It greets us; JetStream is up before the server listens."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                return (await asyncio.wait_for(reader.readline(), 5)).startswith(b"INFO ")
            finally:
                writer.close()
        except (OSError, TimeoutError):
            return False

    def reload(self) -> None:
        """Read the configuration and the accounts file again; no connection of an unchanged user is lost."""
        try:
            os.kill(int(self.pid_file.read_text()), signal.SIGHUP)
        except (OSError, ValueError) as error:
            raise ServerFailed("nats can't be reloaded: it is not running.") from error

    def _configuration(self) -> str:
        if self.config_text is not None:
            return self.config_text.replace("{port}", str(self.port)).replace("{directory}", str(self.directory))
        return CONFIGURATION.format(
            name="slipway",
            port=self.port,
            monitor=f'http: "127.0.0.1:{self._monitor_port}"' if self._monitor_port else "",
            pid_file=json.dumps(str(self.pid_file)),
            store=json.dumps(str(self.directory / "jetstream")),
            sync_interval=json.dumps(self.sync_interval),
            accounts='include "accounts.conf"' if self.accounts_file.exists() else "",
        )
