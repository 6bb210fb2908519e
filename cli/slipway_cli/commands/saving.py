"""backup, restore: a whole platform to one encrypted file, and back."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from slipway_cli.local import backup as backups
from slipway_cli.local.home import Home, HomeLock, home_at, prepare
from slipway_cli.local.progress import Progress
from slipway_cli.local.supervision import supervisor_pid
from slipway_cli.local.vault import parse_recovery_key
from slipway_cli.output import say, show_json
from slipway_cli.problems import CommandFailed

AsJSON = Annotated[bool, Parameter(name="--json")]


async def backup(file: Path, *, home: Path | None = None, as_json: AsJSON = False) -> int:
    """Save the whole platform to one file, encrypted with the platform's recovery key.

    Services answer all the time; the control plane stands still for a few seconds.
    """
    place = home_at(home)
    if not place.exists:
        raise CommandFailed(f"There is no platform in {place.path}.", "platform.none", 5)
    target = _target(file)
    progress = Progress()
    with HomeLock(place):
        text = await asyncio.to_thread(place.recovery_key_file.read_text)
        saved = await backups.save(place, target, parse_recovery_key(text), progress.say)
    if as_json:
        show_json({"file": str(saved.file), "bytes": saved.bytes, "recovery_key_file": str(place.recovery_key_file)})
        return 0
    say(f"  saved {saved.bytes / 2**20:.1f} MB to {saved.file} in {saved.seconds_still:.1f} s")
    say(f"  It opens with this recovery key alone; keep it elsewhere ({place.recovery_key_file}):\n    {text.strip()}")
    return 0


async def restore(
    file: Path,
    *,
    home: Path | None = None,
    key_file: Path | None = None,
    force: bool = False,
    as_json: AsJSON = False,
) -> int:
    """Bring a platform back from a backup; slipway up starts it then.

    Parameters
    ----------
    key_file
        A file with the recovery key (default: the one of this home).
    force
        Replace what the home holds.
    """
    place = home_at(home)
    key = parse_recovery_key(await asyncio.to_thread(_key_text, place, key_file))
    prepare(place)
    if supervisor_pid(place) is not None:
        raise CommandFailed(f"A platform runs in {place.path}: stop it with slipway down first.", "platform.running", 6)
    if place.exists and not force:
        raise CommandFailed(
            f"{place.path} holds a platform already: choose another directory with --home, or replace it with --force.",
            "restore.not_empty",
            6,
        )
    progress = Progress()
    with HomeLock(place):
        await backups.load(place, file, key, progress.say)
    if as_json:
        show_json({"home": str(place.path), "seconds": round(progress.seconds, 1)})
    else:
        say(f"  restored to {place.path} in {progress.seconds:.1f} s; ./slipway up starts it")
    return 0


def _target(file: Path) -> Path:
    target = file.expanduser().absolute()
    if not target.parent.is_dir():
        raise CommandFailed(f"{target.parent} is no directory: make it, then try again.", "backup.directory", 7)
    return target


def _key_text(place: Home, key_file: Path | None) -> str:
    file = key_file.expanduser() if key_file else place.recovery_key_file
    try:
        return file.read_text()
    except FileNotFoundError:
        where = "is not there" if key_file else "is needed, and this home has none"
        raise CommandFailed(
            f"The recovery key that opens this backup {where}: name its file with --key-file.", "backup.key_missing", 7
        ) from None
