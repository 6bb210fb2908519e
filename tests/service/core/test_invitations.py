"""Invitations: for one person, never above who invites, and void when the one who invited may no longer do so."""

from typing import Any

import pytest

from slipway_contracts.base import uuid7
from slipway_testing import eventually


async def invite(client: Any, platform: Any, email: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post(f"/organization/{platform.organization}/inviteMember", {"email": email, **fields})
    return dict(answer.ok(201))


def token_of(invitation: dict[str, Any]) -> str:
    return str(invitation["invitation_link"].partition("#token=")[2])


def path(platform: Any, invitation: dict[str, Any]) -> str:
    return f"/organization/{platform.organization}/inviteMember/{invitation['id']}"


async def owner(platform: Any) -> Any:
    return (await platform.person("owner"))[0]


async def email_of(client: Any) -> str:
    return str((await client.get("/account")).ok()["communication_email"])


async def test_somebody_new_signs_up_by_the_link(platform: Any) -> None:
    email = f"new-{uuid7()}@example.com"
    invitation = await invite(await owner(platform), platform, email, role="DEVELOPER")
    assert (invitation["role_name"], invitation["invitation_status"]) == ("DevOps", "PENDING")
    client = platform.anonymous()
    where = f"{path(platform, invitation)}/signUp"
    (await client.post(where, {"token": "wrong", "password": "long enough it is"})).refused(404)
    (await client.post(where, {"token": token_of(invitation), "password": "short"})).refused(422)
    made = (
        await client.post(where, {"token": token_of(invitation), "password": "long enough it is", "name": "Neo"})
    ).ok(201)
    client.authorization = f"Bearer {made['token']}"
    await eventually(lambda: platform.sees(client, platform.organization))
    assert (await client.post(f"/organization/{platform.organization}/project", {"name": email})).status == 200
    again = await platform.anonymous().post(where, {"token": token_of(invitation), "password": "long enough it is"})
    again.refused(404)
    logged_in = await platform.anonymous().post("/login", {"email": email, "password": "long enough it is"})
    assert logged_in.ok()["user"]["name"] == "Neo"


async def test_who_has_an_account_accepts_and_nobody_else_can(platform: Any) -> None:
    guest, other = (await platform.person(""))[0], (await platform.person(""))[0]
    invitation = await invite(await owner(platform), platform, await email_of(guest))
    where = path(platform, invitation)
    (await other.post(where)).refused(404)
    (await other.get(where)).refused(404)
    member, _ = await platform.person("viewer")
    (await member.post(where)).refused(403)
    assert (await guest.get(where)).ok()["email"] == await email_of(guest)
    (await guest.post(where)).ok(201)
    await eventually(lambda: platform.sees(guest, platform.organization))
    (await guest.post(where)).refused(404)
    (await guest.post(f"/organization/{platform.organization}/project", {"name": "no"})).refused(403)
    sign_up = {"token": token_of(invitation), "password": "long enough it is"}
    (await platform.anonymous().post(f"{where}/signUp", sign_up)).refused(404)


async def test_a_link_makes_no_second_account(platform: Any) -> None:
    guest, _ = await platform.person("")
    invitation = await invite(await owner(platform), platform, await email_of(guest))
    body = {"token": token_of(invitation), "password": "taken over, ha ha"}
    (await platform.anonymous().post(f"{path(platform, invitation)}/signUp", body)).refused(409)


async def test_nobody_invites_above_themselves(platform: Any) -> None:
    admin, _ = await platform.person("admin")
    email = f"x-{uuid7()}@example.com"
    for client in (admin, await owner(platform)):
        answer = await client.post(
            f"/organization/{platform.organization}/inviteMember", {"email": email, "role": "OWNER"}
        )
        answer.refused(403, "auth.above_yourself")
    devops, _ = await platform.person("devops")
    (await devops.post(f"/organization/{platform.organization}/inviteMember", {"email": email})).refused(403)
    machine = platform.client()
    (await machine.post(f"/organization/{platform.organization}/inviteMember", {"email": email})).refused(403)


async def test_an_invitation_ends_with_the_rights_of_who_invited(platform: Any) -> None:
    admin, admin_id = await platform.person("admin")
    guest, _ = await platform.person("")
    invitation = await invite(admin, platform, await email_of(guest), role="ADMIN")
    members = f"/organization/{platform.organization}/member"
    (await platform.client().delete(members, {"user_id": admin_id})).ok(204)
    (await guest.post(path(platform, invitation))).refused(409, "invitation.void")


async def test_an_old_invitation_is_void(platform: Any) -> None:
    guest, _ = await platform.person("")
    invitation = await invite(await owner(platform), platform, await email_of(guest))
    async with platform.app.pool.acquire() as connection:
        await connection.execute(
            "UPDATE invitations SET expires_at = now() - interval '1 second' WHERE id = $1", invitation["id"]
        )
    assert (await guest.get(path(platform, invitation))).ok()["invitation_status"] == "EXPIRED"
    (await guest.post(path(platform, invitation))).refused(409, "invitation.void")
    await invite(await owner(platform), platform, await email_of(guest))


async def test_the_token_is_told_once_and_kept_as_a_hash(platform: Any) -> None:
    client = await owner(platform)
    invitation = await invite(client, platform, f"x-{uuid7()}@example.com")
    listed = (await client.get(f"/organization/{platform.organization}/inviteMember")).ok()["results"]
    assert token_of(invitation)
    assert all("#token" not in one["invitation_link"] for one in listed)
    async with platform.app.pool.acquire() as connection:
        for table in ("invitations", "audit_events", "outbox"):
            rows = [dict(row) for row in await connection.fetch(f"SELECT * FROM {table}")]  # noqa: S608
            assert token_of(invitation) not in str(rows)
    (await client.delete(path(platform, invitation))).ok(204)
    (await client.get(path(platform, invitation))).refused(404)


@pytest.mark.parametrize("email", ["", "x", "a@", "@b", "a b@c.de", "a@b\nBcc: x@y.z", "<a@b.c>", "a@-b.c"])
async def test_what_is_no_address_is_refused(platform: Any, email: str) -> None:
    client = await owner(platform)
    (await client.post(f"/organization/{platform.organization}/inviteMember", {"email": email})).refused(422)


async def test_a_new_password_ends_the_other_logins(platform: Any) -> None:
    first, _ = await platform.person("viewer")
    email = await email_of(first)
    second = platform.anonymous()
    logged_in = await second.post("/login", {"email": email, "password": "correct horse battery"})
    second.authorization = f"Bearer {logged_in.ok()['token']}"
    (await first.put("/account/password", {"current": "wrong", "new": "another horse"})).refused(422)
    fresh = (await first.put("/account/password", {"current": "correct horse battery", "new": "another horse"})).ok()

    async def ended() -> bool:
        return bool((await second.get("/account")).status == 401)

    await eventually(ended, 2)
    first.authorization = f"Bearer {fresh['token']}"
    (await first.get("/account")).ok()
    (await platform.anonymous().post("/login", {"email": email, "password": "another horse"})).ok()
