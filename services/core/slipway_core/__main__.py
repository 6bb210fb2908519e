"""Run core: python -m slipway_core [serve | migrate | bootstrap | resync | rotate-keys [--master]]"""

import asyncio
import sys
from pathlib import Path

import msgspec

from slipway_core.app import SYSTEM, Work, utc_now
from slipway_core.handlers import keys, rotation
from slipway_core.handlers.bootstrap import Bootstrap, bootstrap
from slipway_core.serving import accounts_of, serve
from slipway_core.settings import MigrateSettings, Settings
from slipway_errors import Invalid
from slipway_postgres import check_schema, migrate, pool, transaction
from slipway_service import run, run_once

USAGE = "usage: python -m slipway_core [serve | migrate | bootstrap | resync | rotate-keys [--master]]"


async def apply_migrations(settings: MigrateSettings) -> None:
    """Bring the database up to this release."""
    await migrate(settings.postgres_url, "slipway_core")


async def first_steps(settings: Settings) -> None:
    """Make the first user, organization, cluster and token: JSON in, JSON out."""
    try:
        wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Bootstrap)
    except msgspec.DecodeError as error:
        raise Invalid(f"What is wanted can't be read: {error}.") from error
    async with pool(settings.postgres_url, "core", max_size=2) as database:
        await check_schema(database, "slipway_core")
        async with transaction(database) as connection:
            made = await bootstrap(Work(connection, SYSTEM, utc_now()), accounts_of(settings), wanted)
    sys.stdout.buffer.write(msgspec.json.encode(made) + b"\n")


async def resync(settings: MigrateSettings) -> None:
    """Have everything copied to the edges again (after a restore); a core that serves does the copying."""
    async with pool(settings.postgres_url, "core", max_size=2) as database, transaction(database) as connection:
        await Work(connection, SYSTEM, utc_now()).copies.everything()


async def new_data_keys(settings: Settings) -> None:
    """A new data key per organization while core serves: JSON on standard output says what was done."""
    async with pool(settings.postgres_url, "core", max_size=2) as database:
        await check_schema(database, "slipway_core")
        _tell(await rotation.rotate_data_keys(database, keys.key_ring(settings)))


async def new_master_key(settings: Settings) -> None:
    """A new master key in the key file (with AWS KMS: the configured one), and every data key wrapped by it."""
    file = Path(settings.master_key_file) if settings.master_key_file and not settings.kms_key_id else None
    if file is not None:
        await asyncio.to_thread(rotation.begin_new_master_key, file)
    async with pool(settings.postgres_url, "core", max_size=2) as database:
        await check_schema(database, "slipway_core")
        done = await rotation.rewrap_data_keys(database, keys.key_ring(settings))
    if file is not None:
        await asyncio.to_thread(rotation.end_new_master_key, file)
    _tell(done)


def _tell(done: rotation.Rotated) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")


def main() -> None:
    match sys.argv[1:]:
        case [] | ["serve"]:
            run(serve, Settings)
        case ["migrate"]:
            run_once(apply_migrations, MigrateSettings)
        case ["bootstrap"]:
            run_once(first_steps, Settings)
        case ["resync"]:
            run_once(resync, MigrateSettings)
        case ["rotate-keys"]:
            run_once(new_data_keys, Settings)
        case ["rotate-keys", "--master"]:
            run_once(new_master_key, Settings)
        case _:
            sys.exit(USAGE)


if __name__ == "__main__":
    main()
