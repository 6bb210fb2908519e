"""People: logging in and out, roles, API tokens, and that what is taken back is gone within two seconds."""

from typing import Any

import pytest

from slipway_contracts.base import uuid7
from slipway_http.origins import session_cookie
from slipway_security.tokens import token_hash
from slipway_testing import eventually

PASSWORD = "correct horse battery"
SOON = 2.0
"""A revocation is in force everywhere within two seconds."""


async def answers(client: Any, path: str, status: int) -> bool:
    return bool((await client.get(path)).status == status)


async def role_id(platform: Any, name: str) -> str:
    roles = (await platform.client().get(f"/organization/{platform.organization}/availableRole")).ok()["results"]
    return str(next(role["id"] for role in roles if role["name"] == name))


async def test_somebody_logs_in_and_is_known(platform: Any) -> None:
    client = platform.anonymous()
    answer = await client.post("/login", {"email": " Owner@Example.com ", "password": PASSWORD})
    body = answer.ok()
    assert body["user"]["email"] == "owner@example.com"
    cookie = answer.headers["Set-Cookie"]
    # Platforms on other ports of this host have cookies of their own.
    assert cookie.startswith(f"{session_cookie(platform.url.removeprefix('http://'))}=")
    assert session_cookie(platform.url.removeprefix("http://")) != session_cookie("127.0.0.1:1")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    client.authorization = f"Bearer {body['token']}"
    account = (await client.get("/account")).ok()
    assert account["id"] == platform.made.user_id
    changed = (await client.put("/account", account | {"communication_email": "me@example.com"})).ok()
    assert changed["communication_email"] == "me@example.com"


@pytest.mark.parametrize("email", ["owner@example.com", "nobody@example.com", "", "owner@example.com' OR '1'='1"])
async def test_a_wrong_login_says_the_same_whoever_it_is(platform: Any, email: str) -> None:
    body = (await platform.anonymous().post("/login", {"email": email, "password": "wrong"})).refused(401)
    assert (body["code"], body["detail"]) == ("auth.login_refused", "E-mail or password is wrong.")


async def test_a_cookie_works_for_our_own_pages_only(platform: Any) -> None:
    client = platform.anonymous()
    token = (await client.post("/login", {"email": "owner@example.com", "password": PASSWORD})).ok()["token"]
    cookie = {"Cookie": f"{session_cookie(platform.url.removeprefix('http://'))}={token}"}
    own = await client.post("/organization", {}, **cookie, Origin="http://localhost:8080")
    foreign = await client.post("/organization", {}, **cookie, Origin="http://evil.example")
    assert own.status == 422
    foreign.refused(403, "request.foreign_origin")


async def test_logging_out_ends_this_login_and_no_other(platform: Any) -> None:
    first, _ = await platform.person("viewer")
    email = (await first.get("/account")).ok()["communication_email"]
    second = platform.anonymous()
    token = (await second.post("/login", {"email": email, "password": PASSWORD})).ok()["token"]
    second.authorization = f"Bearer {token}"
    assert (await first.post("/logout")).status == 204
    await eventually(lambda: answers(first, "/account", 401), SOON)
    assert (await second.get("/account")).status == 200
    assert (await second.post("/logoutEverywhere")).status == 204
    await eventually(lambda: answers(second, "/account", 401), SOON)


async def test_a_new_login_after_logging_out_everywhere_works_at_once(platform: Any) -> None:
    client, _ = await platform.person("viewer")
    email = (await client.get("/account")).ok()["communication_email"]
    await client.post("/logoutEverywhere")
    again = await platform.anonymous().post("/login", {"email": email, "password": PASSWORD})
    client.authorization = f"Bearer {again.ok()['token']}"
    await eventually(lambda: answers(client, "/account", 200), SOON)


async def test_a_token_is_shown_once_and_kept_as_a_hash(platform: Any) -> None:
    path = f"/organization/{platform.organization}/apiToken"
    made = (await platform.client().post(path, {"name": "ci", "role_id": await role_id(platform, "Viewer")})).ok(201)
    listed = (await platform.client().get(path)).ok()["results"]
    assert any(token["name"] == "ci" and token["role_name"] == "Viewer" for token in listed)
    assert made["token"] not in str(listed)
    async with platform.app.pool.acquire() as connection:
        row = await connection.fetchrow("SELECT * FROM api_tokens WHERE id = $1", made["id"])
    assert row["hash"] == token_hash(made["token"])
    assert made["token"] not in str(dict(row))
    machine = platform.client(made["token"])
    await eventually(lambda: answers(machine, f"/organization/{platform.organization}", 200), SOON)
    (await machine.post(f"/organization/{platform.organization}/project", {"name": "no"})).refused(403)
    (await machine.get("/account")).refused(403)
    (await platform.client().delete(f"{path}/{made['id']}")).ok(204)
    await eventually(lambda: answers(machine, "/organization", 401), SOON)


async def test_a_token_is_never_more_than_who_made_it(platform: Any) -> None:
    admin, _ = await platform.person("admin")
    path = f"/organization/{platform.organization}/apiToken"
    owner_role = await role_id(platform, "Owner")
    (await admin.post(path, {"name": "rise", "role_id": owner_role})).refused(403, "auth.above_yourself")


async def test_a_token_ends_with_the_rights_of_who_made_it(platform: Any) -> None:
    admin, admin_id = await platform.person("admin")
    organization = f"/organization/{platform.organization}"
    made = (
        await admin.post(f"{organization}/apiToken", {"name": f"t {admin_id}", "role_id": None, "scope": "ADMIN"})
    ).ok(201)
    machine = platform.client(made["token"])
    await eventually(lambda: answers(machine, organization, 200), SOON)
    body = {"user_id": admin_id, "role_id": await role_id(platform, "Viewer")}
    assert (await platform.client().put(f"{organization}/member", body)).status == 200
    await eventually(lambda: answers(machine, organization, 401), SOON)
    assert (await admin.post(f"{organization}/apiToken", {"name": "again"})).status == 403


async def test_a_role_change_is_in_force_at_once(platform: Any) -> None:
    person, id = await platform.person("viewer")
    organization = f"/organization/{platform.organization}"
    project = {"name": f"of {id}"}
    (await person.post(f"{organization}/project", project)).refused(403)
    body = {"user_id": id, "role_id": await role_id(platform, "DevOps")}
    assert (await platform.client().put(f"{organization}/member", body)).status == 200

    async def may() -> bool:
        return bool((await person.post(f"{organization}/project", project)).status == 200)

    await eventually(may, SOON)
    (await platform.client().delete(f"{organization}/member", {"user_id": id})).ok(204)
    await eventually(lambda: answers(person, organization, 404), SOON)


async def test_nobody_rises_above_themselves(platform: Any) -> None:
    admin, admin_id = await platform.person("admin")
    organization = f"/organization/{platform.organization}"
    owner_role, admin_role = await role_id(platform, "Owner"), await role_id(platform, "Admin")
    owner_id = platform.made.user_id
    assert (await admin.put(f"{organization}/member", {"user_id": admin_id, "role_id": owner_role})).status == 409
    assert (await admin.put(f"{organization}/member", {"user_id": owner_id, "role_id": admin_role})).status == 409
    (await admin.delete(f"{organization}/member", {"user_id": owner_id})).refused(409)
    (await admin.post(f"{organization}/transferOwnership", {"user_id": admin_id})).refused(403)


async def test_ownership_is_handed_over(platform: Any) -> None:
    owner, organization = await platform.stranger()
    heir, heir_id = await platform.person("admin", organization)
    path = f"/organization/{organization}"
    (await owner.post(f"{path}/transferOwnership", {"user_id": heir_id})).ok(204)
    members = {one["id"]: one["role_name"] for one in (await owner.get(f"{path}/member")).ok()["results"]}
    assert members[heir_id] == "Owner"
    assert sorted(members.values()) == ["Admin", "Owner"]

    async def may_delete() -> bool:
        return bool((await heir.delete(path)).status == 204)

    await eventually(may_delete, SOON)
    await eventually(lambda: answers(owner, path, 404), SOON)


async def test_a_custom_role_holds_in_its_project_and_mode_only(platform: Any) -> None:
    mine, other = await platform.project(), await platform.project()
    staging = await platform.environment(mine["id"], "staging", mode="STAGING")
    production = await platform.environment(mine["id"], "production", mode="PRODUCTION")
    organization = f"/organization/{platform.organization}"
    owner = platform.client()
    role = (await owner.post(f"{organization}/customRole", {"name": f"role {uuid7()}"})).ok(201)
    permissions = [{"environment_type": "STAGING", "permission": "MANAGER"}]
    stated = {
        "name": role["name"],
        "cluster_permissions": [{"cluster_id": platform.made.cluster_id, "permission": "ENV_CREATOR"}],
        "project_permissions": [{"project_id": mine["id"], "permissions": permissions}],
    }
    shown = (await owner.put(f"{organization}/customRole/{role['id']}", stated)).ok()
    assert shown["project_permissions"][0]["project_name"] == mine["name"]
    person, id = await platform.person("viewer")
    assert (await owner.put(f"{organization}/member", {"user_id": id, "role_id": role["id"]})).status == 200
    await eventually(lambda: answers(person, f"/environment/{production['id']}", 404), SOON)
    assert (await person.get(f"/environment/{staging['id']}")).status == 200
    (await person.put(f"/environment/{staging['id']}", {"name": "renamed"})).ok()
    listed = (await person.get(f"/project/{mine['id']}/environment")).ok()["results"]
    assert [one["id"] for one in listed] == [staging["id"]]
    assert [one["id"] for one in (await person.get(f"{organization}/project")).ok()["results"]] == [mine["id"]]
    (await person.get(f"/project/{other['id']}")).refused(404)
    made = await person.post(f"/project/{mine['id']}/environment", {"name": "new", "mode": "STAGING"})
    assert made.status == 201
    (await person.post(f"/project/{mine['id']}/environment", {"name": "no", "mode": "PRODUCTION"})).refused(403)
    (await person.put(f"/environment/{staging['id']}", {"mode": "PRODUCTION"})).refused(403)
    used = (await owner.delete(f"{organization}/customRole/{role['id']}")).refused(409, "in_use")
    assert used["used_by"][0]["kind"] == "member"


async def test_a_custom_role_names_only_what_is_there(platform: Any) -> None:
    organization = f"/organization/{platform.organization}"
    role = (await platform.client().post(f"{organization}/customRole", {"name": f"role {uuid7()}"})).ok(201)
    stated = {"name": "x", "cluster_permissions": [], "project_permissions": [{"project_id": uuid7()}]}
    body = (await platform.client().put(f"{organization}/customRole/{role['id']}", stated)).refused(422)
    assert body["errors"][0]["path"] == "$.project_permissions[0].project_id"
