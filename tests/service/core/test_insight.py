"""Overviews, and what only Kubernetes has: shown as it is, or refused with what is missing."""

from typing import Any

import pytest

from slipway_contracts.base import uuid7

CONTAINER = {"name": "cache", "image_name": "redis", "tag": "8", "healthchecks": {}}
REGISTRY = {"kind": "GENERIC_CR", "url": "https://registry.example.com", "config": {}}


async def test_an_overview_shows_each_environment_with_its_cluster_and_size(platform: Any) -> None:
    project = await platform.project()
    environment = await platform.environment(project["id"], "dev")
    await platform.application(environment["id"])
    empty = await platform.environment(project["id"], "empty")
    shown = (await platform.client().get(f"/project/{project['id']}/environment/overview")).ok()["results"]
    assert [(one["id"], one["services_overview"]["service_count"]) for one in shown] == [
        (environment["id"], 1),
        (empty["id"], 0),
    ]
    cluster = shown[0]["cluster"]
    assert (cluster["id"], cluster["cloud_provider"], cluster["is_demo"]) == (
        platform.made.cluster_id,
        "ON_PREMISE",
        True,
    )
    assert shown[0]["deployment_status"]["state"] == "READY"
    assert shown[0]["deployment_status"]["deployment_status"] == "NEVER_DEPLOYED"


async def test_a_registry_shows_the_statuses_of_its_containers_alone(platform: Any) -> None:
    client, base = platform.client(), f"/organization/{platform.organization}/containerRegistry"
    mine = (await client.post(base, {"name": f"n {uuid7()}", **REGISTRY})).ok(201)["id"]
    other = (await client.post(base, {"name": f"n {uuid7()}", **REGISTRY})).ok(201)["id"]
    made = []
    for registry in (mine, mine, other):
        environment = await platform.environment()
        there = f"/environment/{environment['id']}/container"
        made.append((await client.post(there, CONTAINER | {"registry_id": registry})).ok(201)["id"])
    shown = (await client.get(f"{base}/{mine}/container/status")).ok()["results"]
    assert {(one["id"], one["state"], one["service_deployment_status"]) for one in shown} == {
        (made[0], "READY", "NEVER_DEPLOYED"),
        (made[1], "READY", "NEVER_DEPLOYED"),
    }
    (await client.get(f"{base}/{uuid7()}/container/status")).refused(404)


async def test_ingress_is_told_of_public_services_of_the_named_kind(platform: Any) -> None:
    environment, client = await platform.environment(), platform.client()
    web = await platform.application(environment["id"], "web")
    shown = (await client.get(f"/APPLICATION/{web['id']}/ingressDeploymentStatus")).ok()
    assert shown["status"] == "READY"
    assert shown == (await client.get(f"/application/{web['id']}/ingressDeploymentStatus")).ok()
    (await client.get(f"/CONTAINER/{web['id']}/ingressDeploymentStatus")).refused(404)
    body = {"name": "inner", "healthchecks": {}, "git_repository": {"url": "", "provider": "SLIPWAY"}, "ports": []}
    inner = (await client.post(f"/environment/{environment['id']}/application", body)).ok(201)
    refused = (await client.get(f"/APPLICATION/{inner['id']}/ingressDeploymentStatus")).refused(404)
    assert "no public port" in refused["detail"]


TIMES = "from_date_time=2026-03-03T09:00:00%2B00:00&to_date_time=2026-03-03T10:00:00Z"


async def test_kubernetes_events_are_none_where_no_kubernetes_is(platform: Any) -> None:
    events = f"/cluster/{platform.made.cluster_id}/events"
    assert (await platform.client().get(f"{events}?{TIMES}")).ok() == {"results": []}
    wrong = (await platform.client().get(f"{events}?from_date_time=yesterday&to_date_time=2026-03-03")).refused(422)
    assert [error["path"] for error in wrong["errors"]] == ["$.from_date_time"]
    missing = (await platform.client().get(events)).refused(422)
    assert {error["path"] for error in missing["errors"]} == {"$.from_date_time", "$.to_date_time"}


@pytest.mark.parametrize(
    ("method", "path", "missing"),
    [
        ("GET", "/cluster/{cluster}/logs?endpoint=query_range&query=up", "loki"),
        ("GET", "/cluster/{cluster}/metrics?endpoint=query_range&query=up", "prometheus"),
        ("GET", "/organization/{organization}/cluster/{cluster}/installationHelmValues", "chart"),
        ("PUT", "/organization/{organization}/cluster/{cluster}/kubeconfig", "kubernetes driver"),
    ],
)
async def test_what_needs_a_part_that_is_not_there_is_refused_by_its_name(
    platform: Any, method: str, path: str, missing: str
) -> None:
    asked = path.format(cluster=platform.made.cluster_id, organization=platform.organization)
    assert (await platform.client()(method, asked)).refused(409, "unsupported")["missing"] == [missing]


async def test_a_kubeconfig_as_yaml_is_refused_for_what_it_is(platform: Any) -> None:
    """Not because of its type: the reference's clients send YAML."""
    path = f"/organization/{platform.organization}/cluster/{platform.made.cluster_id}/kubeconfig"
    kind = {"Content_Type": "application/x-yaml"}
    (await platform.client().put(path, "apiVersion: v1", **kind)).refused(409, "unsupported")


async def test_a_report_of_builds_is_refused_once_the_deployment_is_known(platform: Any) -> None:
    environment, client = await platform.environment(), platform.client()
    path = f"/environment/{environment['id']}/deploymentBuildUsageReport"
    body = {"execution_id": f"{environment['id']}-1", "report_expiration_in_seconds": 60}
    unknown = (await client.post(path, body)).refused(422)
    assert unknown["errors"][0]["path"] == "$.execution_id"
    (await client.post(f"/environment/{environment['id']}/deploy")).ok(202)
    assert (await client.post(path, body)).refused(409, "unsupported")["missing"] == ["grafana"]
    (await client.post(path, body | {"report_expiration_in_seconds": 0})).refused(422)


async def test_logs_of_an_environment_that_was_never_deployed_are_empty(platform: Any) -> None:
    environment, client = await platform.environment(), platform.client()
    assert (await client.get(f"/environment/{environment['id']}/log")).ok() == {"results": []}
    assert (await client.get(f"/environment/{environment['id']}/logs")).ok() == []
    (await client.get(f"/environment/{environment['id']}/logs?version=7")).refused(404)
