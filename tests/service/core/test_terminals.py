"""Remote shells in the audit log."""

from datetime import UTC, datetime
from typing import Any

from slipway_contracts.base import uuid7
from slipway_contracts.shell import SESSION_CHANGED, SessionChanged
from slipway_testing import eventually


async def test_a_shell_is_audited_once_however_often_it_is_told(platform: Any) -> None:
    made = await platform.application()
    told = SessionChanged(
        session_id=uuid7(),
        organization_id=platform.organization,
        environment_id=made["environment"]["id"],
        service_id=made["id"],
        verb="opened",
        user="ada@example.com",
        origin_address="127.0.0.1",
        command=["/bin/sh", "-c", "ls"],
        at=datetime.now(UTC),
    )
    foreign = SessionChanged(**{name: getattr(told, name) for name in told.__struct_fields__} | {"session_id": uuid7()})
    ids = {"organization_id": platform.organization, "verb": "opened"}
    async with platform.nats.bus_as("shell") as bus:
        for message in (told, told, foreign):
            await bus.publish(SESSION_CHANGED, message, **ids)

    async def shells() -> list[dict[str, Any]]:
        answer = await platform.client().get(f"/organization/{platform.organization}/events?eventType=SHELL")
        return list(answer.ok()["events"])

    await eventually(lambda: both(shells))
    rows = await shells()
    assert len(rows) == 2
    assert {row["triggered_by"] for row in rows} == {"ada@example.com"}
    assert {row["target_id"] for row in rows} == {made["id"]}


async def both(shells: Any) -> bool:
    return len(await shells()) >= 2
