"""Services of every kind: what is taken, what is refused, and the Git link that comes with a repository."""

from typing import Any

import pytest

from slipway_contracts.git import GIT_LINKS
from slipway_security.sealing import open_sealed
from slipway_testing import eventually

SMALL = {"name": "web", "git_repository": {"url": "", "provider": "SLIPWAY"}, "healthchecks": {}}
GITHUB = {"url": "https://github.com/acme/shop.git", "provider": "GITHUB", "branch": "release/1"}


async def link_of(platform: Any, id: str) -> Any:
    return await (await platform.app.bus.table(GIT_LINKS)).get(id)


async def test_an_application_of_the_built_in_remote_has_a_repository(platform: Any) -> None:
    project = await platform.project("Blue Shop")
    environment = await platform.environment(project["id"])
    made = await platform.application(environment["id"], "My Web!")
    assert made["git_repository"]["url"] == "http://localhost:8080/git/blue-shop/my-web.git"
    link = (await platform.client().get(f"/service/{made['id']}/gitLink")).ok()
    assert link["url"] == f"http://localhost:8080/hooks/slipway/{link['id']}"
    kept = await eventually(lambda: link_of(platform, link["id"]))
    assert (kept.provider, kept.repository, kept.service_id) == ("slipway", "blue-shop/my-web", made["id"])
    assert (kept.project_id, kept.environment_id) == (project["id"], environment["id"])
    secret = open_sealed(platform.webhooks_key.private, kept.sealed_secrets[0], link["id"])
    assert len(secret) >= 32
    assert open_sealed(platform.git_key.private, kept.remote_sealed_secret, link["id"]) == secret
    (await platform.client().post(f"/service/{made['id']}/gitLink/secret")).refused(409)
    assert (await platform.client().get(f"/service/{made['id']}/gitWebhookStatus")).ok()["status"] == "ACTIVE"


async def test_two_services_share_a_repository_only_when_asked_to_and_never_a_host_name(platform: Any) -> None:
    project = await platform.project("Twins")
    one = await platform.environment(project["id"], "one")
    two = await platform.environment(project["id"], "two")
    first, second = await platform.application(one["id"], "api"), await platform.application(two["id"], "api")
    assert first["git_repository"]["url"] != second["git_repository"]["url"]
    shared = SMALL | {"name": "other", "git_repository": first["git_repository"]}
    other = (await platform.client().post(f"/environment/{one['id']}/application", shared)).ok(201)
    assert other["git_repository"]["url"] == first["git_repository"]["url"]
    (await platform.client().get(f"/service/{other['id']}/gitLink")).refused(404)
    urls = [
        (await platform.client().get(f"/application/{made['id']}/link")).ok()["results"][0]["url"]
        for made in (first, second)
    ]
    assert len(set(urls)) == 2
    everywhere = (await platform.client().get(f"/environment/{one['id']}/link")).ok()["results"]
    assert {link["service_id"] for link in everywhere} == {first["id"], other["id"]} - {other["id"]}


async def test_a_repository_of_another_project_is_refused(platform: Any) -> None:
    await platform.project("Victim")
    environment = await platform.environment((await platform.project("Thief"))["id"])
    body = SMALL | {"git_repository": {"url": "http://localhost:8080/git/victim/web.git", "provider": "SLIPWAY"}}
    answer = await platform.client().post(f"/environment/{environment['id']}/application", body)
    assert answer.refused(422)["errors"][0]["path"] == "$.git_repository.url"


async def test_the_secret_of_a_providers_webhook_is_shown_once(platform: Any) -> None:
    made = await platform.application(git_repository=GITHUB)
    assert (made["git_repository"]["owner"], made["git_repository"]["name"]) == ("acme", "shop")
    client, path = platform.client(), f"/service/{made['id']}/gitLink"
    shown = (await client.post(f"{path}/secret")).ok()
    assert shown["url"].startswith("http://localhost:8080/hooks/github/")
    (await client.post(f"{path}/secret")).refused(409, "git_link.shown_before")
    kept = await eventually(lambda: link_of(platform, shown["id"]))
    assert kept.remote_sealed_secret == b""
    assert open_sealed(platform.webhooks_key.private, kept.sealed_secrets[0], shown["id"]).decode() == shown["secret"]
    fresh = (await client.post(f"{path}/rotate")).ok()

    async def both() -> bool:
        now = await link_of(platform, shown["id"])
        secrets = [open_sealed(platform.webhooks_key.private, one, now.id).decode() for one in now.sealed_secrets]
        return bool(secrets == [fresh["secret"], shown["secret"]])

    await eventually(both)
    assert (await client.get(f"/service/{made['id']}/gitWebhookStatus")).ok()["status"] == "UNABLE_TO_VERIFY"


async def test_another_repository_gets_another_link_and_another_secret(platform: Any) -> None:
    made = await platform.application(git_repository=GITHUB)
    client, path = platform.client(), f"/service/{made['id']}/gitLink"
    before = (await client.post(f"{path}/secret")).ok()
    await eventually(lambda: link_of(platform, before["id"]))
    moved = {"healthchecks": {}, "git_repository": GITHUB | {"url": "https://github.com/evil/shop.git"}}
    (await client.put(f"/application/{made['id']}", moved)).ok()
    after = (await client.post(f"{path}/secret")).ok()
    assert after["id"] != before["id"]
    assert after["secret"] != before["secret"]

    async def gone() -> bool:
        return await link_of(platform, before["id"]) is None and await link_of(platform, after["id"]) is not None

    await eventually(gone)


async def test_what_was_read_can_be_sent_back_and_what_is_left_out_stays(platform: Any) -> None:
    made = await platform.application(cpu=250, description="mine")
    client, path = platform.client(), f"/application/{made['id']}"
    read = await client.get(path)
    assert (await client.put(path, read.ok(), If_Match=read.headers["ETag"])).ok() | {"updated_at": ""} == made | {
        "updated_at": ""
    }
    changed = (await client.put(path, {"healthchecks": {}, "memory": 1024})).ok()
    assert (changed["cpu"], changed["memory"], changed["description"]) == (250, 1024, "mine")
    assert changed["ports"][0]["id"] == made["ports"][0]["id"]
    (await client.put(path, {"healthchecks": {}}, If_Match=read.headers["ETag"])).refused(412)
    for name in ("organization_id", "environment_id", "cluster_id", "label", "fence", "git_repository_id"):
        (await client.put(path, {"healthchecks": {}, name: "x"})).refused(422)


async def test_every_wrong_field_is_named_at_once(platform: Any) -> None:
    environment = await platform.environment()
    body = {
        "name": "bad",
        "cpu": 1,
        "min_running_instances": 5,
        "max_running_instances": 2,
        "git_repository": {"url": "ftp://x", "provider": "GITHUB", "branch": "--upload-pack=x", "root_path": "/../.."},
        "ports": [
            {"internal_port": 0, "publicly_accessible": True},
            {"internal_port": 70000, "publicly_accessible": True, "name": "a b"},
        ],
        "healthchecks": {"readiness_probe": {"type": {"http": {"path": "x y", "port": 0}}, "period_seconds": 0}},
        "autoscaling": {"mode": "KEDA", "scalers": []},
        "dockerfile_path": "../Dockerfile",
    }
    answer = await platform.client().post(f"/environment/{environment['id']}/application", body)
    if answer.status == 422 and len(answer.body["errors"]) == 1:
        body.pop("autoscaling")
        answer = await platform.client().post(f"/environment/{environment['id']}/application", body)
    paths = {error["path"] for error in answer.refused(422)["errors"]}
    assert {
        "$.cpu",
        "$.max_running_instances",
        "$.git_repository.url",
        "$.git_repository.branch",
        "$.git_repository.root_path",
        "$.ports[0].internal_port",
        "$.ports[1].internal_port",
        "$.ports[1].name",
        "$.healthchecks.readiness_probe.type.http.port",
        "$.healthchecks.readiness_probe.type.http.path",
        "$.healthchecks.readiness_probe.period_seconds",
        "$.dockerfile_path",
    } <= paths


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c id",
        "file:///etc/passwd",
        "--upload-pack=touch x",
        "http://127.0.0.1:8222/a/b.git",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/a/b.git",
        "http://2130706433/a.git",
        "http://localhost:5432/a/b.git",
        "https://user:password@github.com/a/b.git",
        "https://github.com/a/b.git\nHost: x",
        "https://github.com/",
        "http://localhost:8080/git/../../x.git",
        "http://localhost:8080/git/blue-shop/-x.git",
        "git@github.com:a/b.git",
    ],
)
async def test_urls_that_lead_elsewhere_are_refused(platform: Any, url: str) -> None:
    environment = await platform.environment()
    body = SMALL | {"git_repository": {"url": url, "provider": "GITHUB"}}
    answer = await platform.client().post(f"/environment/{environment['id']}/application", body)
    assert answer.refused(422)["errors"][0]["path"].startswith("$.git_repository")


async def test_what_cant_be_done_yet_is_refused_and_not_swallowed(platform: Any) -> None:
    environment = await platform.environment()
    path = f"/environment/{environment['id']}/application"
    storage = [{"type": "FAST_SSD", "size": 10, "mount_point": "/data"}]
    for field, value in (("gpu", 1), ("storage", storage), ("labels_groups", [{"id": environment["id"]}])):
        body = (await platform.client().post(path, SMALL | {field: value})).refused(422)
        assert body["errors"] == [{"path": f"$.{field}", "message": "is not supported yet"}]
    (await platform.client().post(path, SMALL | {"gpu": 0, "storage": [], "labels_groups": []})).ok(201)


async def test_advanced_settings_take_known_keys_only(platform: Any) -> None:
    made = await platform.application()
    client, path = platform.client(), f"/application/{made['id']}/advancedSettings"
    defaults = (await client.get("/defaultApplicationAdvancedSettings")).ok()
    assert (await client.get(path)).ok() == defaults
    changed = (await client.put(path, {"deployment.termination_grace_period_seconds": 5})).ok(201)
    assert changed == defaults | {"deployment.termination_grace_period_seconds": 5}
    (await client.put(path, {"deployment.nonsense": 5})).refused(422)
    assert (await client.put(path, {})).ok(201) == defaults


async def test_jobs_and_databases_are_services_too(platform: Any) -> None:
    environment = await platform.environment()
    client, path = platform.client(), f"/environment/{environment['id']}"
    job = {
        "name": "night",
        "healthchecks": {},
        "source": {"docker": {"git_repository": GITHUB}},
        "schedule": {"cronjob": {"scheduled_at": "0 3 * * *", "timezone": "Europe/Berlin"}},
    }
    made = (await client.post(f"{path}/job", job)).ok(201)
    assert (made["job_type"], made["schedule"]["cronjob"]["timezone"]) == ("CRON", "Europe/Berlin")
    assert (await client.put(f"/job/{made['id']}", made)).ok()["name"] == "night"
    for wrong in ({"schedule": {}}, {"schedule": {"cronjob": {"scheduled_at": "every day"}}}, {"source": {}}):
        (await client.post(f"{path}/job", job | {"name": "no"} | wrong)).refused(422)
    database = (
        await client.post(
            f"{path}/database", {"name": "db", "type": "POSTGRESQL", "version": "17", "mode": "CONTAINER"}
        )
    ).ok(201)
    assert (database["port"], database["accessibility"], database["storage"]) == (5432, "PRIVATE", 10)
    (await client.post(f"{path}/database", {"name": "x", "type": "REDIS", "version": "1", "mode": "MANAGED"})).refused(
        422
    )
    (await client.get(f"/application/{database['id']}")).refused(404)
    await platform.application(environment["id"])
    kinds = {one["service_type"] for one in (await client.get(f"{path}/services")).ok()["results"]}
    assert kinds == {"JOB", "DATABASE", "APPLICATION"}
    light = (
        await client.get(f"/organization/{platform.organization}/services?environment_id={environment['id']}")
    ).ok()
    assert {one["name"] for one in light["results"]} == {"night", "db", "web"}
