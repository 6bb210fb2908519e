"""The webhook gateway's settings, read once at start from SLIPWAY_<FIELD>."""

import msgspec

MIB = 1024 * 1024


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    nats_url: str
    """Where the bus listens."""
    nats_user: str = "webhooks"
    """Its user on the bus."""
    nats_password: str
    """That user's password."""
    postgres_url: str
    """Its own database: the delivery log."""
    private_key_file: str
    """X25519 private key (32 raw bytes, mode 0600) for which core seals the links' secrets."""
    listen_host: str = "127.0.0.1"
    """Address to listen on."""
    listen_port: int = 0
    """Port to listen on; 0 takes a free one."""
    allowed_hosts: str = "localhost,127.0.0.1"
    """Host names that are answered, separated by commas."""
    max_body_bytes: int = 25 * MIB
    """The largest delivery that is taken; GitHub sends up to 25 MB."""
    bodies_bytes: int = 192 * MIB
    """Memory for bodies being read, over all requests; beyond it deliveries are put off with 503."""
    body_seconds: float = 10.0
    """How long a sender may take for its body."""
    publish_seconds: float = 8.0
    """How long a delivery may wait for the bus before it is answered with 503; GitHub itself waits 10."""
    open_requests: int = 2000
    """Deliveries handled at once; beyond it they are put off with 503."""
    log_days: int = 14
    """How long the delivery log is kept."""
    workers: int = 1
    """Processes that share the port."""
    stop_seconds: float = 15.0
    """How long each phase of an orderly end may take."""
    log_level: str = "info"
    """debug, info, warning, error."""


class MigrateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `migrate` needs."""

    postgres_url: str
    """Its own database."""
    log_level: str = "info"
    """debug, info, warning, error."""
