"""What core must be told: read once from the environment (`SLIPWAY_<FIELD>`)."""

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    postgres_url: str
    """Core's own database, with its own role."""
    nats_url: str
    """The bus."""
    nats_user: str = "core"
    """User of core on the bus."""
    nats_password: str
    """Its password."""
    redis_url: str = ""
    """Redis or Valkey, for settling limits between replicas later; today every process counts for itself."""
    master_key_file: str = ""
    """The key that wraps all data keys (mode 0600, 32 bytes). Needed, unless AWS KMS does it."""
    kms_key_id: str = ""
    """The AWS KMS key that wraps data keys: id, ARN or alias. What the key file wrapped still opens beside it."""
    kms_region: str = ""
    """Its region. Empty: as AWS's own settings say."""
    kms_endpoint_url: str = ""
    """Where AWS KMS answers, if not at its usual address."""
    webhooks_public_key: str
    """X25519 key of the webhook gateway, base64: secrets of Git links are sealed for it."""
    git_public_key: str = ""
    """X25519 key of the built-in Git remote, base64. Empty: there is no built-in remote."""
    nats_accounts_file: str = ""
    """Generated accounts of the NATS server, one per cluster. Empty: credentials are issued elsewhere."""
    nats_pid_file: str = ""
    """The NATS server's pid, to have it read the accounts again."""
    listen_host: str = "127.0.0.1"
    """Address to listen on."""
    listen_port: int = 0
    """Port to listen on; 0 takes a free one."""
    public_url: str = "http://localhost:8080"
    """Where users reach the platform: origin of console, API, hooks and Git."""
    workload_domain: str = "localhost"
    """Services answer at `<label>.<domain>`."""
    allowed_git_hosts: str = ""
    """Git hosts inside (loopback, private) that may be used all the same, separated by commas."""
    allowed_hosts: str = "localhost,127.0.0.1"
    """Host names that are answered, separated by commas."""
    caller_requests_per_second: float = 200
    """How much one caller may ask, each process counting for itself; five times as much at once. 0: no limit."""
    address_requests_per_second: float = 5
    """Requests of one address without a valid login; ten times as many at once. 0: no limit."""
    password_login: bool = True
    """Whether people may log in with a password of this platform."""
    oidc_issuer: str = ""
    """OpenID Connect provider, as it calls itself: https://id.example.org. Empty: passwords alone."""
    oidc_client_id: str = ""
    """How this platform is registered there, with `<public url>/api/login/oidc/callback` to come back to."""
    oidc_client_secret: str = ""
    """Empty for a public client; PKCE is used in any case."""
    oidc_scopes: str = "openid email profile"
    """What is asked for, separated by spaces; `openid` must be among them."""
    oidc_name: str = ""
    """What the login page calls the provider. Empty: its host."""
    session_lifetime_seconds: int = 12 * 3600
    """How long a login lasts."""
    workers: int = 1
    """Processes that share the port."""
    log_level: str = "info"
    """debug, info, warning, error."""


class MigrateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `migrate` needs."""

    postgres_url: str
    """Core's own database, with its own role."""
    log_level: str = "info"
    """debug, info, warning, error."""
