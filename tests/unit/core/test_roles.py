"""Who may give which role, and what custom roles mean."""

import itertools

import pytest

from slipway_contracts.access import Grant, Permission
from slipway_contracts.places import Place
from slipway_core import roles
from slipway_security.access import Caller

ORDER = ("viewer", "devops", "admin", "owner")


@pytest.mark.parametrize(("giver", "given"), list(itertools.product(ORDER, ORDER)))
def test_nobody_gives_more_than_they_have(giver: str, given: str) -> None:
    grants = [Grant(organization_id="o", role=giver)]
    assert roles.may_give(grants, "o", given) == (ORDER.index(giver) >= ORDER.index(given))
    assert not roles.may_give(grants, "other", given)


@pytest.mark.parametrize(("one", "other"), list(itertools.product(ORDER, ORDER)))
def test_a_role_exceeds_the_ones_below_it(one: str, other: str) -> None:
    assert roles.exceeds(one, other) == (ORDER.index(one) > ORDER.index(other))
    assert roles.exceeds(one, None)


def test_ids_of_built_in_roles_never_change() -> None:
    assert roles.IDS["owner"] == "d982bc77-40f0-5434-bc95-16dbedf730d7"
    assert {roles.role_of(id) for id in roles.IDS.values()} == set(roles.NAMES)
    assert roles.role_of("SOMETHING") == "something"


def test_a_custom_role_allows_what_it_states_and_no_more() -> None:
    config = {
        "cluster_permissions": [{"cluster_id": "c", "permission": "VIEWER"}],
        "project_permissions": [
            {"project_id": "p", "permissions": [{"environment_type": "STAGING", "permission": "DEPLOYER"}]},
            {"project_id": "q", "is_admin": True},
        ],
    }
    caller = Caller(id="x", grants=[roles.grant("o", "custom", config)])

    def may(permission: Permission, **place: str) -> bool:
        return caller.may(permission, Place(organization_id="o", **place))

    assert may(Permission.DEPLOY, project_id="p", mode="STAGING")
    assert not may(Permission.MANAGE, project_id="p", mode="STAGING")
    assert not may(Permission.READ, project_id="p", mode="PRODUCTION")
    assert may(Permission.READ, project_id="p")
    assert all(may(Permission.MANAGE, project_id="q", mode=mode) for mode in roles.MODES)
    assert may(Permission.READ, cluster_id="c")
    assert not may(Permission.DEPLOY, cluster_id="c")
    assert not may(Permission.READ, cluster_id="d")
    assert may(Permission.READ)
    assert not may(Permission.ADMIN)
