"""Container images: what registries hold, and deploying what was pushed there."""

from functools import partial
from typing import Any

from slipway_contracts.access import Permission
from slipway_core.api import answers, bodies
from slipway_core.handlers import image_events, registries
from slipway_http import Route

READ, MANAGE = Permission.READ, Permission.MANAGE
ORGANIZATION = "/organization/{organizationId}"
DEPLOY: dict[str, Any] = {"needs": READ, "of": "organization", "returns": answers.Status, "status": 202}
WHO = "Each service is deployed only where the caller has the permission `deploy`."

ROUTES: list[Route] = [
    Route(
        "GET",
        f"{ORGANIZATION}/containerRegistry/{{containerRegistryId}}/images",
        registries.versions,
        needs=READ,
        of="organization",
        query=bodies.GetContainerVersionsQuery,
        returns=answers.ContainerVersionResponseList,
        summary="The tags of images in a registry",
        tag="Container Registries",
    ),
    Route(
        "POST",
        "/environment/{environmentId}/checkContainerImage",
        registries.check,
        needs=MANAGE,
        of="environment",
        body=bodies.ContainerImageCheckRequest,
        summary="Whether a registry has an image with a tag",
        tag="Environment",
    ),
    Route(
        "POST",
        f"{ORGANIZATION}/container/deploy",
        partial(image_events.deploy, kind="CONTAINER"),
        body=bodies.OrganizationContainerAutoDeployRequest,
        summary="Deploy a tag in every container of an image",
        description=WHO,
        tag="Containers",
        **DEPLOY,
    ),
    Route(
        "POST",
        f"{ORGANIZATION}/job/deploy",
        partial(image_events.deploy, kind="JOB"),
        body=bodies.OrganizationJobAutoDeployRequest,
        summary="Deploy a tag in every job of an image",
        description=WHO,
        tag="Jobs",
        **DEPLOY,
    ),
]
