"""Run the built-in remote: python -m slipway_git"""

import asyncio
from pathlib import Path

from slipway_bus import connect
from slipway_bus.tables import follow
from slipway_contracts.git import GIT_LINKS
from slipway_git.app import Git
from slipway_git.backend import Limits
from slipway_git.deliveries import Deliveries
from slipway_git.feedback import hook_socket, write_hooks
from slipway_git.links import Links
from slipway_git.progress import Progress
from slipway_git.repositories import Repositories
from slipway_git.routes import ROUTES
from slipway_git.settings import Settings
from slipway_http import Server, remote_locate, serve_http
from slipway_security.sealing import load_keypair
from slipway_service import Life, run


async def serve(settings: Settings, life: Life) -> None:
    """Follow the links, tell what was left untold, take pushes."""
    bus = await life.enter(
        connect(settings.nats_url, name="git", user=settings.nats_user, password=settings.nats_password)
    )
    access = await bus.follow_access(life)
    links = Links(load_keypair(settings.private_key_file).private)
    life.spawn(follow(await bus.table(GIT_LINKS), links.apply, life.stopping), name="links")
    repositories = _repositories(settings)
    deliveries = Deliveries(repositories, links, settings.webhooks_url, settings.public_url)
    progress = Progress(bus, settings.public_url, settings.progress_seconds, settings.progress_at_once)
    socket = await life.enter(hook_socket(deliveries, settings.public_url, links, progress))
    repositories.environment["SLIPWAY_HOOK_SOCKET"] = str(socket)
    life.spawn(deliveries.run(life.stopping), name="deliveries")
    app = Git(
        access,
        remote_locate(bus),
        links,
        repositories,
        deliveries,
        asyncio.Semaphore(settings.transfers),
        Limits(settings.idle_seconds, settings.transfer_seconds),
        progress.quiet,
    )
    server = Server(
        ROUTES,
        app,
        access,
        title="Slipway Git",
        allowed_hosts=settings.allowed_hosts,
        checks={"bus": lambda: bus.connected, "links": lambda: links.loaded},
    )
    await life.enter(serve_http(server, settings.listen_host, settings.listen_port))


def _repositories(settings: Settings) -> Repositories:
    directory = Path(settings.repositories_dir)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    limits = {"receive.maxInputSize": str(settings.max_push_bytes)}
    return Repositories(directory, {"core.hooksPath": str(write_hooks(directory)), **limits})


def main() -> None:
    run(serve, Settings)


if __name__ == "__main__":
    main()
