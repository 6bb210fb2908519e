"""What can go wrong with an embedded server."""

from slipway_errors import Conflict, Unavailable


class ServerFailed(Unavailable):
    """An embedded server did not start."""

    code = "embedded.failed"


class PortTaken(Conflict):
    """Another program already uses this port."""

    code = "embedded.port_taken"


class WrongDataVersion(Conflict):
    """The data directory belongs to another major version."""

    code = "embedded.data_version"


class UnsafeDirectory(Conflict):
    """A directory for sockets is not ours alone."""

    code = "embedded.unsafe_directory"
