"""The agent's settings, read once at start from SLIPWAY_<FIELD>."""

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    nats_url: str
    """Where the bus listens."""
    nats_user: str = ""
    """The cluster's agent user."""
    nats_password: str = ""
    """Its password."""
    cluster_id: str
    """The cluster that this agent belongs to."""
    work_dir: str
    """Where the engine keeps services, their releases and logs."""
    spool_dir: str
    """Checkpoints, and what must be told once the bus is back."""
    supervisor_socket: str = ""
    """Unix socket of the workloads' supervisor. Not needed today: the shims' status files say everything."""
    held_bytes: int = 64 * 1024 * 1024
    """Per release: bytes of removed log files that stay readable while the bus is away; beyond it a gap is noted."""
    batches: int = 32
    """Log batches that may wait for their acknowledgement at once, over all services."""
    metrics_seconds: float = 10.0
    """How often CPU and memory are told."""
    states_seconds: float = 1.0
    """How often running states are looked at; they are told when they change."""
    states_refresh_seconds: float = 300.0
    """How often an unchanged state is told again."""
    hello_seconds: float = 15.0
    """How often the agent says that it is there."""
    shells: int = 50
    """Terminals that may be open at once."""
    shell_window_bytes: int = 256 * 1024
    """Output of a terminal that may be on its way; beyond it the program waits."""
    shell_silence_seconds: float = 90.0
    """A terminal ends when its gateway was not heard of for so long."""
    log_level: str = "info"
    """debug, info, warning, error."""
    stop_seconds: float = 10.0
    """How long each phase of an orderly end may take."""
