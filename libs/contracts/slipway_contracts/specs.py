"""What a service should be, as an engine needs it: data only, the same for every driver."""

from enum import StrEnum

from slipway_contracts.base import Message


class ServiceKind(StrEnum):
    APPLICATION = "APPLICATION"
    CONTAINER = "CONTAINER"
    DATABASE = "DATABASE"
    JOB = "JOB"
    HELM = "HELM"
    TERRAFORM = "TERRAFORM"


class GitSource(Message, frozen=True, kw_only=True):
    """A commit of a repository, and where in it the service lives."""

    url: str
    branch: str
    commit: str
    root_path: str = "/"


class ImageSource(Message, frozen=True, kw_only=True):
    registry_id: str
    name: str
    tag: str


class Port(Message, frozen=True, kw_only=True):
    id: str
    internal_port: int
    external_port: int | None = None
    name: str = ""
    protocol: str = "HTTP"
    publicly_accessible: bool = True
    is_default: bool = False


class Probe(Message, frozen=True, kw_only=True):
    """A health check; times in seconds. `type`: http, tcp, exec, grpc, none."""

    type: str = "tcp"
    port: int | None = None
    path: str = "/"
    command: list[str] = []
    initial_delay_seconds: int = 0
    period_seconds: int = 5
    timeout_seconds: int = 5
    success_threshold: int = 1
    failure_threshold: int = 3


class DatabaseSpec(Message, frozen=True, kw_only=True):
    """A database that the cluster runs itself. Which types, modes and versions it has: `capabilities.py`."""

    type: str
    """POSTGRESQL, REDIS …"""
    version: str
    mode: str = "CONTAINER"
    accessibility: str = "PRIVATE"
    storage_gib: int = 10


class JobEvent(StrEnum):
    """When a job runs."""

    START = "START"
    STOP = "STOP"
    DELETE = "DELETE"
    CRON = "CRON"


class JobCommand(Message, frozen=True, kw_only=True):
    """What is run. Both empty: what the repository itself says (`job:` or `web:` of its Procfile, or as detected)."""

    entrypoint: str = ""
    arguments: list[str] = []


class JobSpec(Message, frozen=True, kw_only=True):
    """A program that runs to its end."""

    commands: dict[str, JobCommand] = {}
    """JobEvent → what is run then. CRON stands alone."""
    cron: str = ""
    """When it runs, as a cron expression."""
    timezone: str = "UTC"
    max_restarts: int = 0
    """How often it is started again after it failed."""
    max_duration_seconds: int = 3600
    """How long one attempt may take."""


class ServiceSpec(Message, frozen=True, kw_only=True):
    """The desired state of one service, without its variables (they travel sealed beside it)."""

    id: str
    kind: ServiceKind
    name: str
    label: str
    """DNS label, allocated once, unique in the platform, ≤ 63 characters: `<label>.<domain>`."""
    hostnames: list[str] = []
    """All names under which the public default port answers: the label's first, then custom domains."""
    git: GitSource | None = None
    image: ImageSource | None = None
    build_mode: str = "AUTO"
    """AUTO (Procfile, then detection), DOCKER, STATIC …"""
    dockerfile_path: str = ""
    docker_target: str = ""
    """The stage of the Dockerfile that is built; empty: the last one."""
    entrypoint: str = ""
    arguments: list[str] = []
    ports: list[Port] = []
    readiness: Probe | None = None
    liveness: Probe | None = None
    min_instances: int = 1
    max_instances: int = 1
    cpu_milli: int = 500
    memory_mib: int = 512
    start_timeout_seconds: int = 60
    """How long a new process may take until its readiness probe answers."""
    stop_grace_seconds: int = 10
    """How long the old process may take to finish its requests after SIGTERM."""
    settings: dict[str, str | int | float | bool | None] = {}
    """Advanced settings that differ from their defaults."""
    database: DatabaseSpec | None = None
    job: JobSpec | None = None


class TaskVariable(Message, frozen=True, kw_only=True):
    key: str
    value: str
    secret: bool = False
    mount_path: str | None = None


class RegistryLogin(Message, frozen=True, kw_only=True):
    """A registry of images; without a user it is asked anonymously."""

    url: str
    username: str = ""
    password: str = ""


class DatabaseLogin(Message, frozen=True, kw_only=True):
    """With what a database is made: its one user, who may do everything in it."""

    login: str
    password: str
    database: str


class JobOutput(Message, frozen=True, kw_only=True):
    """A value that a job leaves behind for others."""

    value: str
    sensitive: bool = False
    description: str = ""


class JobOutputs(Message, frozen=True, kw_only=True):
    """All of them, by name: what travels sealed to core in a report."""

    outputs: dict[str, JobOutput] = {}


class TaskSecrets(Message, frozen=True, kw_only=True):
    """The sealed half of a task: only the cluster's engine can open it."""

    variables: list[TaskVariable] = []
    git_username: str = ""
    git_password: str = ""
    registry: RegistryLogin | None = None
    """Where the service's image comes from."""
    database: DatabaseLogin | None = None
