"""Roles: the built-in ones with fixed ids, what a custom one allows, and who may give which. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from slipway_contracts.access import ROLE_PERMISSIONS, Grant, Permission

NAMESPACE = UUID("5f1d0a52-6b8e-4f0e-9d43-0c5c1a7a51b9")
NAMES = {
    "owner": "Owner",
    "admin": "Admin",
    "devops": "DevOps",
    "billing": "Billing manager",
    "viewer": "Viewer",
}
IDS = {role: str(uuid5(NAMESPACE, role)) for role in NAMES}
BY_ID = {id: role for role, id in IDS.items()}
INVITED_AS = {"owner": "OWNER", "admin": "ADMIN", "devops": "DEVELOPER", "viewer": "VIEWER"}
"""InviteMemberRoleEnum of the reference, an older way to name roles."""
MODES = ("DEVELOPMENT", "PREVIEW", "STAGING", "PRODUCTION")
IN_PROJECT: dict[str, list[Permission]] = {
    "NO_ACCESS": [],
    "VIEWER": [Permission.READ],
    "DEPLOYER": [Permission.READ, Permission.DEPLOY],
    "MANAGER": [Permission.READ, Permission.DEPLOY, Permission.MANAGE, Permission.SHELL],
}
ON_CLUSTER: dict[str, list[Permission]] = {
    "VIEWER": [Permission.READ],
    "ENV_CREATOR": [Permission.READ, Permission.DEPLOY],
    "ADMIN": [Permission.READ, Permission.DEPLOY, Permission.MANAGE, Permission.ADMIN],
}
"""DEPLOY on a cluster: put environments on it."""


def role_of(id: str) -> str:
    """How a role is stored: a built-in one by its name, a custom one by its id."""
    return BY_ID.get(id.lower(), id.lower())


def id_of(role: str) -> str:
    return IDS.get(role, role)


def grant(organization_id: str, role: str, config: Mapping[str, Any]) -> Grant:
    """What a role means for edges. A custom role without permissions allows nothing but to see the organization."""
    if role in ROLE_PERMISSIONS:
        return Grant(organization_id=organization_id, role=role)
    return Grant(
        organization_id=organization_id,
        role=role,
        clusters={
            one["cluster_id"]: ON_CLUSTER[one["permission"]]
            for one in config.get("cluster_permissions", [])
            if "cluster_id" in one and "permission" in one
        },
        projects={
            one["project_id"]: _modes(one) for one in config.get("project_permissions", []) if "project_id" in one
        },
    )


def _modes(project: Mapping[str, Any]) -> dict[str, list[Permission]]:
    if project.get("is_admin"):
        return {mode: IN_PROJECT["MANAGER"] for mode in MODES}
    stated = {
        one["environment_type"]: IN_PROJECT[one["permission"]]
        for one in project.get("permissions", [])
        if "environment_type" in one and "permission" in one
    }
    return {mode: permissions for mode, permissions in stated.items() if permissions}


def permissions_in(grants: Iterable[Grant], organization_id: str) -> frozenset[Permission]:
    """What somebody may do in a whole organization."""
    held: frozenset[Permission] = frozenset()
    for one in grants:
        if one.organization_id == organization_id:
            held |= ROLE_PERMISSIONS.get(one.role, frozenset())
    return held


def may_give(grants: Sequence[Grant], organization_id: str, role: str) -> bool:
    """Nobody gives more than they have. Custom roles hold nothing that an administrator lacks."""
    held = permissions_in(grants, organization_id)
    return ROLE_PERMISSIONS.get(role, ROLE_PERMISSIONS["devops"]) <= held


def exceeds(role: str, other: str | None) -> bool:
    """Whether a role allows something that the other one (None: no role at all) doesn't."""
    if other is None:
        return True
    if role == other:
        return False
    mine, theirs = ROLE_PERMISSIONS.get(role), ROLE_PERMISSIONS.get(other)
    if theirs is None:
        return True
    return not (ROLE_PERMISSIONS["devops"] if mine is None else mine) <= theirs
