"""Freezes, in which nothing is deployed, and approvals, without which nothing is."""

from collections.abc import Iterator
from typing import Any

from slipway_contracts.access import Permission
from slipway_contracts.events import DeploymentView
from slipway_core.handlers import approvals, freezing, history
from slipway_http import Route

READ, MANAGE, ADMIN = Permission.READ, Permission.MANAGE, Permission.ADMIN
ENVIRONMENT = "/environment/{environmentId}"


def _of_place(kind: str) -> Iterator[Route]:
    path = f"/{kind}/{{{kind}Id}}/freezes"
    here: dict[str, Any] = {"of": kind, "tag": "Freezes"}
    yield Route("GET", path, freezing.listed, needs=READ, returns=freezing.FreezeList, summary="List freezes", **here)
    yield Route(
        "POST",
        path,
        freezing.create,
        needs=ADMIN,
        body=freezing.FreezeRequest,
        returns=freezing.FreezeAnswer,
        status=201,
        summary="Freeze deployments",
        **here,
    )
    yield Route(
        "DELETE",
        f"{path}/{{freezeId}}",
        freezing.delete,
        needs=ADMIN,
        status=204,
        summary="Lift a freeze",
        **here,
    )


FREEZES: list[Route] = [route for kind in ("organization", "project", "environment") for route in _of_place(kind)]
POLICY: dict[str, Any] = {"of": "environment", "returns": approvals.PolicyAnswer, "tag": "Approvals"}
VERDICT: dict[str, Any] = {
    "needs": MANAGE,
    "of": "deployment",
    "body": approvals.Verdict,
    "body_required": False,
    "returns": DeploymentView,
    "status": 202,
    "tag": "Approvals",
}
APPROVALS: list[Route] = [
    Route(
        "GET",
        f"{ENVIRONMENT}/approvalPolicy",
        approvals.policy,
        needs=READ,
        summary="Whether deployments wait for an approval",
        **POLICY,
    ),
    Route(
        "PUT",
        f"{ENVIRONMENT}/approvalPolicy",
        approvals.edit_policy,
        needs=ADMIN,
        body=approvals.PolicyBody,
        summary="Say whether deployments wait for an approval",
        **POLICY,
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/approvals",
        approvals.waiting,
        needs=READ,
        of="environment",
        returns=history.DeploymentList,
        summary="The deployments that wait for an approval",
        tag="Approvals",
    ),
    Route("POST", "/deployment/{deploymentId}/approve", approvals.approve, summary="Agree to a deployment", **VERDICT),
    Route("POST", "/deployment/{deploymentId}/deny", approvals.deny, summary="Refuse a deployment", **VERDICT),
]

ROUTES: list[Route] = [*FREEZES, *APPROVALS]
