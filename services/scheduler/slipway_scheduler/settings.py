"""What the scheduler must be told: read once from the environment (`SLIPWAY_<FIELD>`)."""

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the scheduler."""

    postgres_url: str
    """The scheduler's own database, with its own role."""
    nats_url: str
    """The bus; several servers separated by commas."""
    nats_user: str = "scheduler"
    """User of the scheduler on the bus."""
    nats_password: str
    """Its password."""
    listen_host: str = "127.0.0.1"
    """Address to listen on."""
    listen_port: int = 0
    """Port to listen on; 0 takes a free one."""
    public_url: str = "http://localhost:8080"
    """Where users reach the platform; its pages may use their cookie."""
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    """Host names that are answered, separated by commas."""
    firings_kept_days: int = 90
    """How long it can be seen what fired when, in days."""
    workers: int = 1
    """Processes that share the port."""
    stop_seconds: float = 20.0
    """Limit of each phase of an orderly end, in seconds."""
    log_level: str = "info"
    """debug, info, warning, error."""


class MigrateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `migrate` needs."""

    postgres_url: str
    """The scheduler's own database, with its own role."""
    log_level: str = "info"
    """debug, info, warning, error."""
