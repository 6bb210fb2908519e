"""What can go wrong with a task. Users see the sentence; `code` is stable for programs."""

from slipway_errors import Fault, Kind


class TaskFailed(Fault):
    """The task failed."""

    kind = Kind.CONFLICT
    code = "task.failed"

    def __init__(self, detail: str = "", details: str = "", code: str = "") -> None:
        """`details` are the last lines that explain it."""
        super().__init__(detail)
        self.details = details
        if code:
            self.facts["code"] = code

    @property
    def stable_code(self) -> str:
        return str(self.facts.get("code", type(self).code))


class Fenced(Fault):
    """A newer task or another engine has taken over."""

    kind = Kind.CONFLICT
    code = "task.fenced"


class Canceled(Fault):
    """The task was canceled."""

    kind = Kind.CONFLICT
    code = "task.canceled"


class CloneFailed(TaskFailed):
    """The commit could not be fetched."""

    code = "build.clone"


class NoPlan(TaskFailed):
    """Nothing in the repository tells how to run it."""

    code = "build.no_plan"


class BuildFailed(TaskFailed):
    """A build command failed."""

    code = "build.failed"


class StartFailed(TaskFailed):
    """The new version did not start."""

    code = "start.failed"
