"""The virtual environment of a checkout: made, filled from the lock files when they changed, and handed over to.

Standard library only, and no ensurepip: pip runs from the wheel beside this file, so a Python without either works,
and the user's own pip configuration holds. A stamp per lock file says what is installed; a file lock keeps two starts
from working at once.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WITH_TOOLS = ("test", "lint", "bench")
LOCK_TIMEOUT_SECONDS = 1200
INSTALL_TIMEOUT_SECONDS = 1800
# What would make pip install somewhere else, or Python look elsewhere.
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "VIRTUAL_ENV")

LAUNCHER = """\
#!/bin/sh
exec "$(dirname -- "$(readlink -f -- "$0")")/python" -P -m slipway_cli "$@"
"""


class SetupFailed(Exception):
    """One sentence that says what to do."""


class Environment:
    """`.venv` of one checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / ".venv"
        self.python = self.directory / "bin" / "python"

    def ensure(self, *locks: str) -> None:
        """Install what these lock files say, unless it is installed."""
        if all(self._installed(lock) for lock in locks):
            return
        self.directory.mkdir(exist_ok=True)
        with self._alone():
            if not self._usable():
                self._make()
            for lock in locks:
                if not self._installed(lock):
                    self._install(lock)

    def _installed(self, lock: str) -> bool:
        try:
            return self._stamp(lock).read_text() == self._mark(lock)
        except OSError:
            return False

    def _stamp(self, lock: str) -> Path:
        return self.directory / f"{lock}.installed"

    def _mark(self, lock: str) -> str:
        """Changes when something has to be installed again: the lock, our packages, Python."""
        digest = hashlib.sha256()
        for file in (self.root / lock, self.root / "pyproject.toml", Path(__file__)):
            digest.update(file.read_bytes())
        digest.update(f"{sys.version_info[:2]} {os.path.realpath(sys.executable)} {self.directory}".encode())
        return digest.hexdigest()

    def _usable(self) -> bool:
        """Whether its Python starts and is of our version: the one it was made with may be gone."""
        ask = "import sys; print(sys.version_info[:2], sys.prefix)"
        try:
            said = subprocess.run([self.python, "-I", "-c", ask], capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            return False
        return said.stdout.strip() == f"{sys.version_info[:2]} {self.directory}"

    def _make(self) -> None:
        import venv  # here, as most starts don't need it

        with step(f"virtual environment (Python {sys.version_info[0]}.{sys.version_info[1]})"):
            for entry in self.directory.iterdir():
                if entry.name == "lock":
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            venv.EnvBuilder(with_pip=False, symlinks=True).create(self.directory)

    def _install(self, lock: str) -> None:
        count = sum("==" in line for line in (self.root / lock).read_text().splitlines())
        with step(f"{count} packages of {lock}") as progress:
            self._pip(lock, progress)
            self._link_project()
        self._stamp(lock).write_text(self._mark(lock))

    def _pip(self, lock: str, progress: "Progress") -> None:
        wheels = sorted((self.root / "bootstrap").glob("pip-*.whl"))
        if not wheels:
            raise SetupFailed("bootstrap/pip-*.whl is missing: get a whole copy of the repository.")
        argv = [self.python, wheels[-1] / "pip", "install", "--no-deps", "--no-input", "--disable-pip-version-check"]
        argv += ["--no-warn-script-location", "--progress-bar", "off", "-r", self.root / lock]
        log = self.directory / "install.log"
        clean = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        clean |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(part) for part in argv], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=clean
            )
            try:
                progress.wait(process, log)
            except BaseException:
                process.kill()
                process.wait()
                raise
        if process.returncode:
            raise SetupFailed(f"The packages of {lock} could not be installed: {last_error(log)} (all of it: {log})")

    def _link_project(self) -> None:
        """What an editable install amounts to here: our package directories on the path, and the command."""
        import tomllib  # here, as most starts don't need it

        packages = tomllib.loads((self.root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
        parents = sorted({str(self.root / Path(package).parent) for package in packages["wheel"]["packages"]})
        site = next((self.directory / "lib").glob("python3*/site-packages"))
        (site / "slipway-dev.pth").write_text("\n".join(parents) + "\n")
        command = self.directory / "bin" / "slipway"
        command.write_text(LAUNCHER)
        command.chmod(0o755)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one setup at a time; the other one waits, and then finds everything done."""
        with (self.directory / "lock").open("w") as file:
            waited = False
            deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
            while not locked(file.fileno()):
                if not waited:
                    say("another ./slipway is setting up the same checkout; waiting for it")
                waited = True
                if time.monotonic() > deadline:
                    raise SetupFailed(f"Another ./slipway has held {file.name} for 20 minutes: end it, then try again.")
                time.sleep(0.2)
            yield


def locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Progress:
    """A line that tells what is being done and for how long; on a terminal it is kept up to date."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.began = time.monotonic()
        self.live = sys.stderr.isatty()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def show(self, detail: str = "") -> None:
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            line = f"  … {self.seconds:5.1f} s  {self.title}  {detail}"[:width]
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

    def done(self) -> None:
        sys.stderr.write(("\r\x1b[K" if self.live else "") + f"  ✓ {self.seconds:5.1f} s  {self.title}\n")
        sys.stderr.flush()

    def wait(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        while True:
            try:
                process.wait(0.1)
                return
            except subprocess.TimeoutExpired:
                self.show(last_line(log))
            if self.seconds > INSTALL_TIMEOUT_SECONDS:
                raise SetupFailed(f"pip did not end in 30 minutes: look into {log}, then try again.")


@contextmanager
def step(title: str) -> Iterator[Progress]:
    progress = Progress(title)
    progress.show()
    try:
        yield progress
    except BaseException:
        if progress.live:
            sys.stderr.write("\n")
        raise
    progress.done()


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def last_error(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["pip said nothing"])[-1]


def say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


def locks_for(arguments: list[str]) -> list[str]:
    """The lock files that this command needs."""
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    return ["requirements.lock", *(["requirements-dev.lock"] if command in WITH_TOOLS else [])]


def ensure(root: str, *locks: str) -> Environment:
    """Set up, or end with one sentence that says why not."""
    environment = Environment(Path(root))
    try:
        environment.ensure(*locks)
    except SetupFailed as failed:
        sys.exit(f"slipway: {failed}")
    except OSError as error:
        sys.exit(f"slipway: {error.filename or root}: {error.strerror}: make it writable, or free the disk, and retry.")
    except KeyboardInterrupt:
        sys.exit(130)
    return environment


def main(root: str, arguments: list[str]) -> None:
    """Set up what the command needs and become it."""
    python = str(ensure(root, *locks_for(arguments)).python)
    for name in ("PYTHONPATH", "PYTHONHOME", "SLIPWAY_PYTHON_TRIED"):
        os.environ.pop(name, None)
    os.execv(python, [python, "-P", "-m", "slipway_cli", *arguments])  # noqa: S606


if __name__ == "__main__":  # python bootstrap/environment.py LOCK …: what `slipway up` calls for the console's Node
    ensure(str(Path(__file__).resolve().parent.parent), *sys.argv[1:])
