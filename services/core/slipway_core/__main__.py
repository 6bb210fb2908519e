"""Run core: python -m slipway_core [serve | migrate | bootstrap | resync]"""

import sys

import msgspec

from slipway_core.app import SYSTEM, Work, utc_now
from slipway_core.handlers.bootstrap import Bootstrap, bootstrap
from slipway_core.serving import accounts_of, serve
from slipway_core.settings import MigrateSettings, Settings
from slipway_errors import Invalid
from slipway_postgres import check_schema, migrate, pool, transaction
from slipway_service import run, run_once

USAGE = "usage: python -m slipway_core [serve | migrate | bootstrap | resync]"


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
        case _:
            sys.exit(USAGE)


if __name__ == "__main__":
    main()
