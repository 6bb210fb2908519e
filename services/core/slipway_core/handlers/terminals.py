"""Remote shells in the audit log: who opened one beside which service, from where, and why it ended."""

import hashlib
import uuid

from slipway_contracts.shell import SessionChanged
from slipway_core.app import Core
from slipway_core.stores.audit import AuditEvent

MOST_COMMAND = 2000


async def changed(app: Core, message: SessionChanged) -> None:
    """A session was opened or has ended; told again, it is written once."""
    async with app.work() as work:
        place = await work.places.locate("service", message.service_id)
        if place is None or place.organization_id != message.organization_id:
            return
        service = await work.services.get(message.service_id)
        await work.audit.add_once(
            AuditEvent(
                id=row_id(message),
                organization_id=place.organization_id,
                project_id=place.project_id or None,
                environment_id=place.environment_id or None,
                service_id=message.service_id,
                event_type="PORT_FORWARD" if message.kind == "forward" else "SHELL",
                target_type=service.kind if service is not None else "APPLICATION",
                target_id=message.service_id,
                target_name=place.name,
                sub_target_type="REMOTE_ACCESS",
                origin="API",
                actor=message.user,
                address=message.origin_address,
                after={
                    "session_id": message.session_id,
                    "verb": message.verb,
                    "command": " ".join(message.command)[:MOST_COMMAND],
                    "reason": message.reason,
                },
                at=message.at,
            )
        )


def row_id(message: SessionChanged) -> str:
    """A UUIDv7 that follows from the message, so that a second delivery finds its row."""
    milliseconds = int(message.at.timestamp() * 1000)
    rest = int.from_bytes(hashlib.sha256(f"{message.session_id}.{message.verb}".encode()).digest()[:10])
    value = (milliseconds << 80) | (7 << 76) | ((rest >> 62 & 0xFFF) << 64) | (2 << 62) | (rest & (1 << 62) - 1)
    return str(uuid.UUID(int=value))
