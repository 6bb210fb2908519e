"""What the built-in remote must be told: read once from the environment (`SLIPWAY_<FIELD>`)."""

import msgspec

MIB = 1024 * 1024


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    nats_url: str
    """Where the bus listens."""
    nats_user: str = "git"
    """Its user on the bus."""
    nats_password: str
    """That user's password."""
    repositories_dir: str
    """Directory of the bare repositories; nobody else writes there."""
    private_key_file: str
    """X25519 private key (32 raw bytes, mode 0600) for which core seals the secrets that deliveries are signed with."""
    webhooks_url: str
    """Where the webhook gateway listens."""
    listen_host: str = "127.0.0.1"
    """Address to listen on."""
    listen_port: int = 0
    """Port to listen on; 0 takes a free one."""
    public_url: str = "http://localhost:8080"
    """Where users reach the platform: the address of a repository begins with it."""
    allowed_hosts: str = "localhost,127.0.0.1"
    """Host names that are answered, separated by commas."""
    max_push_bytes: int = 1024 * MIB
    """The largest pack that one push may bring."""
    idle_seconds: float = 120.0
    """A transfer that stands still for so long is ended."""
    transfer_seconds: float = 1800.0
    """The longest that one clone or push may take."""
    transfers: int = 32
    """Git processes at once; beyond it clients are told to come again."""
    progress_seconds: float = 300.0
    """How long a push shows what becomes of it; 0 shows nothing."""
    progress_at_once: int = 12
    """Pushes that are shown at once, of all transfers; further ones end as soon as they are kept."""
    workers: int = 1
    """One: repositories are locked within the process."""
    stop_seconds: float = 20.0
    """Limit of each phase of an orderly end, in seconds."""
    log_level: str = "info"
    """debug, info, warning, error."""
