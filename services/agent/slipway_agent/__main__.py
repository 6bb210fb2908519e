"""Run the agent: python -m slipway_agent"""

import resource
from pathlib import Path

from slipway_agent.hello import greet
from slipway_agent.logs.checkpoints import Checkpoints
from slipway_agent.logs.shipper import Shipper
from slipway_agent.metrics import Metrics
from slipway_agent.services import Services
from slipway_agent.settings import Settings
from slipway_agent.shells.sessions import Sessions
from slipway_agent.states import States
from slipway_bus import connect
from slipway_service import Life, run
from slipway_workloads import Layout


async def serve(settings: Settings, life: Life) -> None:
    """Open the bus and start what the agent does, each thing on its own."""
    _raise_file_limit()
    layout, spool = Layout(Path(settings.work_dir)), Path(settings.spool_dir)
    checkpoints = Checkpoints(spool)
    cluster_id = settings.cluster_id
    bus = await life.enter(
        connect(settings.nats_url, name="agent", user=settings.nats_user, password=settings.nats_password)
    )
    sessions = Sessions(
        bus,
        layout,
        cluster_id,
        shells=settings.shells,
        window_bytes=settings.shell_window_bytes,
        silence_seconds=settings.shell_silence_seconds,
    )
    await sessions.start()
    life.on_stop(sessions.stop)
    shipper = Shipper(bus, layout, checkpoints, cluster_id, settings.held_bytes, settings.batches)
    services = Services(layout, cluster_id)
    states = States(bus, layout, services, spool, cluster_id, settings.states_refresh_seconds)
    life.spawn(shipper.run(life), name="logs")
    life.spawn(states.run(life, settings.states_seconds), name="states")
    life.spawn(Metrics(bus, services).run(life, settings.metrics_seconds), name="metrics")
    life.spawn(sessions.run(life), name="shells")
    life.spawn(greet(bus, life, cluster_id, settings.hello_seconds), name="hello")


def _raise_file_limit() -> None:
    """One descriptor per log file that is followed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    run(serve, Settings)


if __name__ == "__main__":
    main()
