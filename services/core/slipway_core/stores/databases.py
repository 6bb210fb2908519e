"""With what databases are reached: login and password are made with the service, host and port by its cluster."""

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class DatabaseAccess(msgspec.Struct, frozen=True, kw_only=True):
    service_id: str
    login: str
    database_name: str
    data_key_id: str
    ciphertext: bytes
    """The password."""
    host: str = ""
    """Empty before its first deployment."""
    port: int = 0


ADD = """
    INSERT INTO database_accesses (service_id, login, database_name, data_key_id, ciphertext)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
GET = "SELECT * FROM database_accesses WHERE service_id = $1"
OF_ENVIRONMENT = """
    SELECT d.* FROM database_accesses d JOIN services s ON s.id = d.service_id WHERE s.environment_id = $1
"""
PLACE = "UPDATE database_accesses SET host = $2, port = $3, updated_at = now() WHERE service_id = $1"


class Databases:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, access: DatabaseAccess) -> None:
        """Unless it has one already: who has a password keeps it."""
        await self._connection.execute(
            ADD, access.service_id, access.login, access.database_name, access.data_key_id, access.ciphertext
        )

    async def get(self, service_id: str) -> DatabaseAccess | None:
        return rows.one(await self._connection.fetchrow(GET, service_id), DatabaseAccess)

    async def of_environment(self, environment_id: str) -> dict[str, DatabaseAccess]:
        """service id → how it is reached."""
        found = rows.many(await self._connection.fetch(OF_ENVIRONMENT, environment_id), DatabaseAccess)
        return {access.service_id: access for access in found}

    async def place(self, service_id: str, host: str, port: int) -> None:
        """Its cluster says where it is."""
        await self._connection.execute(PLACE, service_id, host, port)
