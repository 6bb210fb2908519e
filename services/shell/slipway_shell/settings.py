"""The shell gateway's settings, read once at start from SLIPWAY_<FIELD>."""

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    nats_url: str
    """Where the bus listens."""
    nats_user: str = "shell"
    """Our user on the bus."""
    nats_password: str = ""
    """Its password."""
    postgres_url: str
    """Our own database: who had a session where, when and why it ended."""
    recordings_dir: str
    """Where sessions are recorded, as asciicast v2; with a bucket, until they have ended."""
    recordings_bucket: str = ""
    """S3 bucket that keeps the recordings; empty: the directory keeps them. Credentials as boto3 finds them."""
    recordings_endpoint_url: str = ""
    """Address of an object store other than AWS that speaks S3."""
    recordings_key_file: str = ""
    """A master key (32 bytes, mode 0600): recordings are encrypted with it. Empty: they are not."""
    recording_bytes: int = 64 * 1024 * 1024
    """Output of one session that is recorded; what comes after is not."""
    listen_host: str = "127.0.0.1"
    """Address to listen on."""
    listen_port: int = 0
    """Port to listen on; 0: a free one."""
    public_url: str = ""
    """Where users find the platform: sockets from pages of this origin are taken."""
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    """Host names that are answered."""
    sessions: int = 500
    """Sessions that may be open at once in this process."""
    sessions_per_user: int = 20
    """Sessions of one user or token."""
    forwards_per_user: int = 200
    """Forwarded connections of one user or token."""
    resume_seconds: float = 600.0
    """How long a session waits for a client whose connection was lost."""
    idle_seconds: float = 1800.0
    """A session in which nothing was typed and nothing printed for so long ends; that is said a minute before."""
    longest_seconds: float = 12 * 3600.0
    """No session is longer than this; that is said a minute before."""
    warning_seconds: float = 60.0
    """How long before an end by limit it is said."""
    ping_seconds: float = 25.0
    """How often the client is pinged: below the limits of usual proxies."""
    agent_seconds: float = 15.0
    """A session whose agent can't be reached for so long ends."""
    message_bytes: int = 1024 * 1024
    """Largest message that a client may send."""
    log_level: str = "info"
    """debug, info, warning, error."""
    stop_seconds: float = 15.0
    """How long each phase of an orderly end may take."""


class MigrateSettings(msgspec.Struct, frozen=True, kw_only=True):
    postgres_url: str
    """The database to bring up to this release's schema."""
    log_level: str = "info"
    """debug, info, warning, error."""
