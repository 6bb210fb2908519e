"""The published TypeScript client of the public API works with Slipway: every operation, in scenarios that make sense.

`client/` holds the scenarios; they are played once, in one Node process. Each answer is held against the reference's
schemas and against our own document's.
"""

import asyncio
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slipway_cli.local.node import find_node
from slipway_core.routes import ROUTES
from slipway_http.openapi import openapi_document
from slipway_testing.core import Platform
from slipway_testing.reference import Document, reference

CLIENT = Path(__file__).parent / "client"
SECONDS = 180
REFERENCE = reference()
SCENARIOS = [
    f"{file.stem}: {name}"
    for file in sorted((CLIENT / "scenarios").glob("*.mjs"))
    for name in re.findall(r"^scenario\('([^']+)'", file.read_text(), re.MULTILINE)
]
REFUSED = {
    "StopCluster": "Slipway did not make the cluster, so it doesn't stop it either",
    "getClusterKubeconfig": "the local cluster has no kubeconfig",
}
"""Operations whose true answer, on the clusters there are, is a refusal that says why."""
NOT_THERE = [
    "checkDockerfile",
    "checkGitFile",
    "checkHelmRepository",
    "cleanFailedJob",
    "cleanFailedJobs",
    "getDatabaseMasterCredentials",
    "listDatabaseApplication",
    "previewContainerEnvironments",
    "removeApplicationFromDatabase",
]
"""Operations that Slipway doesn't have yet."""
NOT_PLAYED = [
    "autoDeployContainerEnvironments",
    "autoDeployJobEnvironments",
    "checkContainerImage",
    "createProjectEnvironmentVariableOverride",
    "createProjectSecretOverride",
    "deleteAzureCredentials",
    "deleteGcpCredentials",
    "deleteScalewayCredentials",
    "editAzureCredentials",
    "editClusterKubeconfig",
    "editGcpCredentials",
    "editScalewayCredentials",
    "generateDeploymentBuildUsageReport",
    "getAzureCredentials",
    "getClusterKubernetesEvents",
    "getClusterLogs",
    "getClusterMetrics",
    "getContainerRegistryContainerStatus",
    "getContainerVersions",
    "getGcpCredentials",
    "getIngressDeploymentStatus",
    "getInstallationHelmValues",
    "getProjectEnvironmentsOverview",
    "getScalewayCredentials",
    "getServiceGitWebhookStatus",
    "listEnvironmentLog",
    "listEnvironmentLogs",
    "syncServiceGitWebhook",
]
"""Operations without a scenario yet."""


@dataclass
class Played:
    """What happened: each scenario's error, and every answer."""

    errors: dict[str, str] = field(default_factory=dict)
    exchanges: list[dict[str, Any]] = field(default_factory=list)

    def take(self, line: str) -> None:
        said = json.loads(line)
        if "exchange" in said:
            self.exchanges.append(said["exchange"])
        else:
            self.errors[said["scenario"]["name"]] = said["scenario"]["error"]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client installed as the lock file says, and the Node to run it."""
    log = tmp_path_factory.mktemp("node") / "node.log"
    found = find_node(log)
    directory = tmp_path_factory.mktemp("client")
    shutil.copytree(CLIENT, directory, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
    argv = [*found.npm, "ci", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=170)
    if done.returncode != 0:
        pytest.skip(f"npm could not fetch the client: {done.stderr.strip().splitlines()[-1:]}")
    (directory / "node").symlink_to(found.node)
    return directory


@pytest.fixture(scope="module")
async def played(node: Path, platform: Platform, outside: tuple[Any, str]) -> Played:
    """All scenarios, played."""
    given = {
        "url": platform.url,
        "outsideUrl": outside[1],
        "token": platform.made.api_token,
        "organizationId": platform.organization,
        "clusterId": platform.made.cluster_id,
        "userId": platform.made.user_id,
    }
    process = await asyncio.create_subprocess_exec(
        *(str(node / "node"), str(node / "play.mjs")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=node,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(json.dumps(given).encode()), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    told = Played()
    for line in out.decode().splitlines():
        told.take(line)
    return told


@pytest.fixture(scope="module")
def ours() -> Document:
    return Document(json.loads(json.dumps(openapi_document(ROUTES, "Slipway"))), prefix="/api")


def operation(name: str) -> str:
    """`get-cluster-logs`, `StopCluster` as the client names them."""
    plain = re.sub(r"-(.)", lambda found: found[1].upper(), name)
    return plain[0].lower() + plain[1:]


KEYS = {operation(about["operationId"]): key for key, about in REFERENCE.operations.items()}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_scenario(name: str, played: Played, ours: Document) -> None:
    assert name in played.errors, "it was not played"
    assert not played.errors[name], played.errors[name]
    wrong: list[str] = []
    for exchange in played.exchanges:
        if exchange["scenario"] == name and exchange["operation"] in KEYS:
            key, status, body = KEYS[exchange["operation"]], exchange["status"], exchange["body"]
            wrong += [f"ours: {one}" for one in ours.wrong(key, status, body)]
            wrong += [f"reference: {one}" for one in REFERENCE.wrong(key, status, body) if status < 400]
    assert not wrong, "\n".join(dict.fromkeys(wrong))


async def test_every_operation_was_done_but_those_that_are_listed(played: Played) -> None:
    done = {exchange["operation"] for exchange in played.exchanges if exchange["status"] < 300}
    asked = {exchange["operation"] for exchange in played.exchanges}
    assert sorted(KEYS.keys() - done - {operation(name) for name in REFUSED}) == sorted(NOT_THERE + NOT_PLAYED)
    assert {operation(name) for name in REFUSED} <= asked - done
