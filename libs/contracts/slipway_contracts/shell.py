"""Remote shells: the gateway asks the cluster's agent for a terminal; bytes flow over plain subjects.

gateway → agent  `shell.{cluster_id}.open` (request)            OpenShell → ShellOpened
gateway → agent  `shell.{cluster_id}.{session_id}` (request)    ShellInput → ShellAck, which is the flow control
agent → gateway  `terminal.{cluster_id}.{session_id}` (plain)   ShellOutput
"""

from datetime import datetime

from slipway_contracts.base import Message, Topic
from slipway_contracts.streams import SESSIONS


class OpenShell(Message, frozen=True, kw_only=True):
    session_id: str
    kind: str = "shell"
    """shell: beside the service. ephemeral: in a fresh copy of it. forward: a connection to one of its ports."""
    port: int = 0
    """Of a forward: one that the service listens on; 0: the one that gets its requests."""
    organization_id: str
    environment_id: str
    service_id: str
    process: str = ""
    """Name of one process (pod) of the service; empty: the newest."""
    command: list[str] = []
    """Empty: a login shell. Never parsed by a shell."""
    tty: bool = True
    columns: int = 80
    rows: int = 24
    user: str = ""
    """Who asked, for the agent's own record."""


class ShellOpened(Message, frozen=True, kw_only=True):
    ok: bool
    code: str = ""
    message: str = ""
    process: str = ""


class ShellInput(Message, frozen=True, kw_only=True):
    """Exactly one of data, eof, resize, signal, ack, close."""

    data: bytes = b""
    offset: int = -1
    """Position of `data` in all input of the session: what was repeated after a lost answer is taken once. With the
    signal INT: where the input goes on; what was typed before and not taken yet is skipped."""
    eof: bool = False
    columns: int = 0
    rows: int = 0
    signal: str = ""
    acked_offset: int = -1
    """Bytes of output that the gateway has handed on: the agent pauses the program beyond a window after it."""
    received_offset: int = -1
    """Bytes of output that came to the gateway: when it says the same twice, what is behind that was lost."""
    resend: bool = False
    """Send all output behind `acked_offset` again: something of it was lost on the way."""
    close: bool = False
    reason: str = ""


class ShellAck(Message, frozen=True, kw_only=True):
    ok: bool = True
    code: str = ""
    """full: the program doesn't read, offer the data again in a moment. ended: there is no such session (any more)."""
    message: str = ""
    taken: int = -1
    """How much of all input the agent has by now."""


class ShellOutput(Message, frozen=True, kw_only=True):
    """`offset` is the position of `data` in all output of the session; `ended` comes last."""

    offset: int
    data: bytes = b""
    stderr: bool = False
    ended: bool = False
    exit_code: int | None = None
    reason: str = ""


class SessionChanged(Message, frozen=True, kw_only=True):
    """A session was opened, watched or ended; core writes it to the audit log."""

    session_id: str
    kind: str = "shell"
    """shell, ephemeral, forward."""
    organization_id: str
    project_id: str = ""
    environment_id: str
    service_id: str
    verb: str
    """opened, watched (by `user`), ended."""
    user: str
    origin_address: str = ""
    command: list[str] = []
    reason: str = ""
    at: datetime


SHELL_OPEN = Topic("shell.{cluster_id}.open", OpenShell, owner="shell", stream=None)
SHELL_INPUT = Topic("shell.{cluster_id}.{session_id}", ShellInput, owner="shell", stream=None)
SHELL_OUTPUT = Topic("terminal.{cluster_id}.{session_id}", ShellOutput, owner="agent", stream=None)
SESSION_CHANGED = Topic("sessions.{organization_id}.{verb}", SessionChanged, owner="shell", stream=SESSIONS)
