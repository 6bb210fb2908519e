"""Variables and secrets: scopes, aliases, overrides, files, interpolation; and what is refused with its path."""

from typing import Any

import pytest

from slipway_core.handlers.effective import plain, visible
from slipway_core.variables import resolve
from slipway_security.faults import DecryptionFailed


class Ground:
    """A project, an environment and an application, and short ways to write there."""

    def __init__(self, platform: Any, project: str, environment: str, application: str) -> None:
        self.platform = platform
        self.client = platform.client()
        self.paths = {
            "project": f"/project/{project}",
            "environment": f"/environment/{environment}",
            "application": f"/application/{application}",
        }
        self.ids = {"project": project, "environment": environment, "application": application}

    async def put(self, scope: str, key: str, value: str, **fields: Any) -> dict[str, Any]:
        answer = await self.client.post(
            f"{self.paths[scope]}/environmentVariable", {"key": key, "value": value, **fields}
        )
        return dict(answer.ok(201))

    async def secret(self, scope: str, key: str, value: str) -> dict[str, Any]:
        return dict((await self.client.post(f"{self.paths[scope]}/secret", {"key": key, "value": value})).ok(201))

    async def effective(self) -> dict[str, Any]:
        """What the application really gets."""
        app = self.platform.app
        async with app.reading() as work:
            place = await work.places.locate("service", self.ids["application"])
            return {one.key: one for one in resolve(await plain(app, work, place, await visible(app, work, place)))}


@pytest.fixture
async def ground(platform: Any) -> Ground:
    project = await platform.project()
    environment = await platform.environment(project["id"])
    application = await platform.application(environment["id"])
    return Ground(platform, project["id"], environment["id"], application["id"])


async def test_the_narrower_scope_wins(ground: Ground) -> None:
    await ground.put("project", "COLOR", "red")
    await ground.put("environment", "COLOR", "green")
    assert (await ground.effective())["COLOR"].value == "green"
    mine = await ground.put("application", "COLOR", "blue")
    assert (await ground.effective())["COLOR"].value == "blue"
    path = f"{ground.paths['application']}/environmentVariable/{mine['id']}"
    (await ground.client.delete(path)).ok(204)
    assert (await ground.effective())["COLOR"].value == "green"


async def test_an_override_and_an_alias_follow_their_target(ground: Ground) -> None:
    url = await ground.put("project", "DATABASE_URL", "postgres://a")
    path = f"{ground.paths['application']}/environmentVariable/{url['id']}"
    override = (await ground.client.post(f"{path}/override", {"value": "postgres://b"})).ok(201)
    alias = (await ground.client.post(f"{path}/alias", {"key": "DB"})).ok(201)
    assert override["overridden_variable"]["value"] == "postgres://a"
    assert (override["variable_type"], override["scope"]) == ("OVERRIDE", "APPLICATION")
    assert (alias["aliased_variable"]["key"], alias["variable_type"]) == ("DATABASE_URL", "ALIAS")
    effective = await ground.effective()
    assert effective["DB"].value == effective["DATABASE_URL"].value == "postgres://b"
    used = (await ground.client.delete(f"{ground.paths['project']}/environmentVariable/{url['id']}")).refused(409)
    assert {user["name"] for user in used["used_by"]} == {"DB", "DATABASE_URL"}
    (await ground.client.post(f"{path}/override", {"value": "again"})).refused(409, "name.taken")


async def test_built_in_variables_say_where_a_service_stands(ground: Ground) -> None:
    effective = await ground.effective()
    assert effective["QOVERY_PROJECT_ID"].value == ground.ids["project"]
    assert effective["QOVERY_ENVIRONMENT_NAME"].value == "main"
    external = [one.value for key, one in effective.items() if key.endswith("_URL_EXTERNAL")]
    link = (await ground.client.get(f"{ground.paths['application']}/link")).ok()["results"][0]
    assert external == [link["url"]]
    listed = (await ground.client.get(f"{ground.paths['environment']}/environmentVariable")).ok()["results"]
    built_in = next(one for one in listed if one["key"] == "QOVERY_ENVIRONMENT_ID")
    assert built_in["scope"] == "BUILT_IN"
    path = f"{ground.paths['environment']}/environmentVariable/{built_in['id']}"
    assert (await ground.client.post(f"{path}/alias", {"key": "WHERE"})).ok(201)["value"] == ground.ids["environment"]
    assert (await ground.effective())["WHERE"].value == ground.ids["environment"]
    (await ground.client.post(f"{path}/override", {"value": "x"})).refused(409, "variable.reserved")
    (await ground.client.put(path, {"key": "QOVERY_ENVIRONMENT_ID", "value": "x"})).refused(404)
    (await ground.client.delete(path)).refused(404)


async def test_values_name_other_variables(ground: Ground) -> None:
    await ground.put("environment", "HOST", "db.internal")
    await ground.secret("environment", "PASSWORD", "p@ss w0rd")
    await ground.put("application", "URL", "postgres://me:{{PASSWORD}}@{{HOST}}/x")
    url = (await ground.effective())["URL"]
    assert (url.value, url.is_secret) == ("postgres://me:p@ss w0rd@db.internal/x", True)


async def test_what_leads_nowhere_is_refused_with_its_path(ground: Ground) -> None:
    path = f"{ground.paths['application']}/environmentVariable"
    body = (await ground.client.post(path, {"key": "A", "value": "{{MISSING}}"})).refused(422, "variable.unknown")
    assert (body["name"], body["path"]) == ("MISSING", ["A"])
    await ground.put("application", "B", "b")
    await ground.put("application", "A", "{{B}}")
    b = next(one for one in (await ground.client.get(path)).ok()["results"] if one["key"] == "B")
    cycle = (await ground.client.put(f"{path}/{b['id']}", {"key": "B", "value": "{{A}}"})).refused(422)
    assert (cycle["code"], cycle["path"]) == ("variable.cycle", ["B", "A", "B"])
    used = (await ground.client.delete(f"{path}/{b['id']}")).refused(409, "in_use")
    assert [user["name"] for user in used["used_by"]] == ["A"]
    (await ground.client.put(f"{path}/{b['id']}", {"key": "C", "value": "b"})).refused(409, "in_use")
    assert (await ground.effective())["A"].value == "b"


async def test_a_project_may_name_what_its_environments_bring(ground: Ground) -> None:
    path = f"{ground.paths['project']}/environmentVariable"
    (await ground.client.post(path, {"key": "URL", "value": "https://{{HOST}}"})).refused(422)
    await ground.put("environment", "HOST", "example.com")
    await ground.put("project", "URL", "https://{{HOST}}")
    assert (await ground.effective())["URL"].value == "https://example.com"


async def test_files_are_mounted_and_interpolated_only_when_asked_for(ground: Ground) -> None:
    await ground.put("environment", "NAME", "x")
    made = await ground.put("application", "CONF", "a={{NAME}}", mount_path="/etc/app.conf")
    assert (made["variable_type"], made["mount_path"]) == ("FILE", "/etc/app.conf")
    assert (await ground.effective())["CONF"].value == "a={{NAME}}"
    path = f"{ground.paths['application']}/environmentVariable/{made['id']}"
    body = {"key": "CONF", "enable_interpolation_in_file": True}
    (await ground.client.put(path, body)).ok()
    conf = (await ground.effective())["CONF"]
    assert (conf.value, conf.mount_path) == ("a=x", "/etc/app.conf")
    for wrong in ("etc/app.conf", "/etc/../passwd", "/etc/", "/a\nb"):
        (
            await ground.client.post(
                f"{ground.paths['application']}/environmentVariable",
                {"key": "F", "value": "", "mount_path": wrong},
            )
        ).refused(422)


@pytest.mark.parametrize("key", ["1A", "A-B", "A B", "A\nB=C", "A=B", "", "QOVERY_X", "__X", "slipway_x", "Ä", "$(id)"])
async def test_keys_that_no_process_should_have_are_refused(ground: Ground, key: str) -> None:
    for scope in ("project", "environment", "application"):
        for sort in ("environmentVariable", "secret"):
            answer = await ground.client.post(f"{ground.paths[scope]}/{sort}", {"key": key, "value": "x"})
            assert answer.refused(422)["errors"][0]["path"] == "$.key"


async def test_a_secret_is_never_shown_and_can_be_changed(ground: Ground) -> None:
    made = await ground.secret("environment", "TOKEN", "first-value")
    path = f"{ground.paths['environment']}/secret"
    assert "value" not in made
    assert "first-value" not in str((await ground.client.get(path)).ok())
    changed = (await ground.client.put(f"{path}/{made['id']}", {"key": "TOKEN", "value": "second-value"})).ok()
    assert "second-value" not in str(changed)
    assert (await ground.effective())["TOKEN"].value == "second-value"
    (await ground.client.put(f"{path}/{made['id']}", {"key": "TOKEN", "description": "mine"})).ok()
    assert (await ground.effective())["TOKEN"].value == "second-value"
    under = f"{ground.paths['application']}/secret/{made['id']}"
    alias = (await ground.client.post(f"{under}/alias", {"key": "OTHER"})).ok(201)
    assert alias["aliased_secret"]["key"] == "TOKEN"
    override = (await ground.client.post(f"{under}/override", {"value": "third-value"})).ok(201)
    assert override["overridden_secret"]["scope"] == "ENVIRONMENT"
    effective = await ground.effective()
    assert effective["OTHER"].value == effective["TOKEN"].value == "third-value"
    assert effective["OTHER"].is_secret
    variable = f"{ground.paths['environment']}/environmentVariable/{made['id']}"
    (await ground.client.put(variable, {"key": "TOKEN", "value": "x"})).refused(404)


async def test_a_secret_copied_into_another_row_doesnt_open(ground: Ground) -> None:
    one, two = await ground.secret("environment", "ONE", "1111"), await ground.secret("environment", "TWO", "2222")
    async with ground.platform.app.pool.acquire() as connection:
        await connection.execute(
            "UPDATE variables SET ciphertext = (SELECT ciphertext FROM variables WHERE id = $1) WHERE id = $2",
            one["id"],
            two["id"],
        )
    with pytest.raises(DecryptionFailed, match="TWO"):
        await ground.effective()


async def test_one_address_for_all_scopes(ground: Ground) -> None:
    client = ground.client
    body = {
        "key": "ANY",
        "value": "1",
        "is_secret": False,
        "variable_scope": "ENVIRONMENT",
        "variable_parent_id": ground.ids["environment"],
    }
    made = (await client.post("/variable", body)).ok(201)
    secret = (await client.post("/variable", body | {"key": "HIDDEN", "is_secret": True})).ok(201)
    assert secret["value"] is None
    there = f"parent_id={ground.ids['application']}&scope=APPLICATION"
    keys = {one["key"] for one in (await client.get(f"/variable?{there}")).ok()["results"]}
    assert {"ANY", "HIDDEN", "QOVERY_PROJECT_ID"} <= keys
    hidden = (await client.get(f"/variable?{there}&is_secret=true")).ok()["results"]
    assert [one["key"] for one in hidden] == ["HIDDEN"]
    assert (await client.put(f"/variable/{made['id']}", {"key": "ANY", "value": "2"})).ok()["value"] == "2"
    alias = {"key": "SAME", "alias_scope": "APPLICATION", "alias_parent_id": ground.ids["application"]}
    assert (await client.post(f"/variable/{made['id']}/alias", alias)).ok(201)["value"] == "2"
    override = {"value": "3", "override_scope": "APPLICATION", "override_parent_id": ground.ids["application"]}
    (await client.post(f"/variable/{made['id']}/override", override)).ok(201)
    assert (await ground.effective())["SAME"].value == "3"
    (await client.delete(f"/variable/{secret['id']}")).ok(204)
    (await client.post("/variable", body | {"variable_scope": "HELM"})).refused(422)
    viewer, _ = await ground.platform.person("viewer")
    (await viewer.post("/variable", body | {"key": "NO"})).refused(403)
    (await viewer.post(f"/variable/{made['id']}/alias", alias | {"key": "NO"})).refused(403)
    stranger, _ = await ground.platform.stranger()
    (await stranger.post("/variable", body | {"key": "NO"})).refused(404)
    (await stranger.get(f"/variable?{there}")).refused(404)


async def test_many_are_imported_or_none(ground: Ground) -> None:
    client, path = ground.client, f"{ground.paths['application']}/environmentVariable/import"
    lines = [
        {"name": "A", "value": "1", "scope": "APPLICATION", "is_secret": False},
        {"name": "B", "value": "hush", "scope": "ENVIRONMENT", "is_secret": True},
        {"name": "C", "value": "3", "scope": "PROJECT", "is_secret": False},
    ]
    done = (await client.post(path, {"overwrite": False, "vars": lines})).ok(201)
    assert done["total_variables_to_import"] == 3
    assert [one["name"] for one in done["successful_imported_variables"]] == ["A", "B", "C"]
    assert "hush" not in str(done)
    again = [{**lines[0], "value": "2"}]
    assert (await client.post(path, {"overwrite": False, "vars": again})).ok(201)["successful_imported_variables"] == []
    assert (await ground.effective())["A"].value == "1"
    (await client.post(path, {"overwrite": True, "vars": again})).ok(201)
    assert (await ground.effective())["A"].value == "2"
    wrong = [{**lines[0], "name": "D"}, {**lines[0], "name": "not a key"}]
    body = (await client.post(path, {"overwrite": False, "vars": wrong})).refused(422)
    assert body["errors"][0]["path"] == "$.vars[1].name"
    assert "D" not in await ground.effective()
    query = f"service_id={ground.ids['application']}&service_type=APPLICATION"
    more = {"overwrite": False, "vars": [{**lines[0], "name": "E"}]}
    (await client.post(f"/variable/import?{query}", more)).ok(201)
    assert "E" in await ground.effective()
