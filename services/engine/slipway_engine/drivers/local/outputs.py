"""What a job leaves in /qovery-output/qovery-output.json: {NAME: {value, sensitive, description}}.

Invariant: the file is the job's own, so nothing in it is trusted: it is read bounded, never through a link, and what
is wrong with it is said by name.
"""

import os
import re
import stat
from pathlib import Path
from typing import Any

import msgspec

from slipway_contracts.specs import JobOutput
from slipway_engine.problems import TaskFailed

DIRECTORY = "/qovery-output"
FILE = "qovery-output.json"
FILE_BYTES = 256 * 1024
MOST_OUTPUTS = 100
VALUE_BYTES = 64 * 1024
DESCRIPTION_CHARACTERS = 1000
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class OutputWrong(TaskFailed):
    """The job's output can't be used."""

    code = "job.output"


def read_outputs(directory: Path) -> dict[str, JobOutput]:
    """The outputs by name, in capitals; none when there is no file."""
    try:
        descriptor = os.open(directory / FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OutputWrong(f"The job's output can't be read: {error.strerror}.") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OutputWrong("The job's output is no ordinary file.")
        content = file.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        raise OutputWrong(f"The job's output is larger than {FILE_BYTES // 1024} KiB.")
    return parse(content)


def parse(content: bytes) -> dict[str, JobOutput]:
    """The outputs in a file's content. Pure."""
    try:
        given = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise OutputWrong("The job's output is no JSON object of names: {NAME: {value, sensitive}}.") from error
    if len(given) > MOST_OUTPUTS:
        raise OutputWrong(f"The job gives {len(given)} outputs; {MOST_OUTPUTS} are the most.")
    found: dict[str, JobOutput] = {}
    for name, body in given.items():
        if not NAME.fullmatch(name):
            raise OutputWrong(f"{name[:80]!r} can't name an output: letters, digits and _, no digit first.")
        if name.upper() in found:
            raise OutputWrong(f"The job gives the output {name.upper()} twice.")
        found[name.upper()] = _output(name, body)
    return found


def _output(name: str, body: Any) -> JobOutput:
    if not isinstance(body, dict) or body.get("value") is None:
        raise OutputWrong(f"The job's output {name} has no value.")
    value, sensitive = body["value"], body.get("sensitive", False)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if not isinstance(sensitive, bool):
        raise OutputWrong(f"`sensitive` of the job's output {name} is neither true nor false.")
    if len(text.encode(errors="surrogatepass")) > VALUE_BYTES or "\0" in text:
        raise OutputWrong(f"The value of the job's output {name} is larger than {VALUE_BYTES // 1024} KiB, or binary.")
    description = str(body.get("description") or "")[:DESCRIPTION_CHARACTERS]
    return JobOutput(value=text, sensitive=sensitive, description=description)
