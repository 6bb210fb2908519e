"""The gateway's settings, read once at start from SLIPWAY_<FIELD>."""

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    nats_url: str
    """Where the bus listens."""
    nats_user: str = "websocket"
    """Our user on the bus."""
    nats_password: str = ""
    """Its password."""
    listen_host: str = "127.0.0.1"
    """Address to listen on."""
    listen_port: int = 0
    """Port to listen on; 0: a free one."""
    public_url: str = ""
    """Where users find the platform: sockets from pages of this origin are taken."""
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    """Host names that are answered."""
    connections: int = 20_000
    """Sockets that may be open at once in this process."""
    connections_per_user: int = 100
    """Sockets of one user or token."""
    channels_per_connection: int = 200
    """Subscriptions of one socket."""
    message_bytes: int = 64 * 1024
    """Largest message that a client may send."""
    commands_per_second: float = 50.0
    """Commands that one socket may send in the long run; four seconds' worth at once."""
    connect_seconds: float = 10.0
    """How long a socket may take to say who it is."""
    ping_seconds: int = 25
    """How often a client is pinged; one that did not answer by the next ping is closed."""
    buffer_bytes: int = 512 * 1024
    """What may wait for a client in memory; beyond it newest states win, and logs are told as missed."""
    slow_seconds: float = 30.0
    """A client that takes nothing for so long is closed."""
    history_batches: int = 100
    """Log batches that a new subscription begins with, unless it asks for another number."""
    history_bytes: int = 1024 * 1024
    """Most that a subscription begins with, or one page of history holds."""
    recover_messages: int = 2000
    """Missed messages that are recovered; more than that is told as not recovered."""
    recover_bytes: int = 4 * 1024 * 1024
    """Most bytes that are recovered."""
    incarnation: str = ""
    """Changes when streams were restored from a backup: positions that clients took before are not theirs any more."""
    log_level: str = "info"
    """debug, info, warning, error."""
    stop_seconds: float = 15.0
    """How long each phase of an orderly end may take."""
    workers: int = 1
    """Processes that share the port."""
