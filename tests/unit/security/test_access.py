"""Rights from the copy: who gets in, who sees what, and how fast that ends."""

from datetime import UTC, datetime, timedelta

import pytest

from slipway_contracts.access import API_AUDIENCE, AccessEntry, Grant, Permission
from slipway_contracts.places import Place
from slipway_errors import Forbidden, NotFound, Unauthenticated, Unavailable
from slipway_security import jwt, tokens
from slipway_security.access import AccessCopy, Caller

KEY = jwt.new_signing_key()
PLACE = Place(organization_id="o1", project_id="p1", environment_id="e1", mode="PRODUCTION")


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(clock: Clock) -> AccessCopy:
    copy = AccessCopy(clock)
    copy.apply("alive", AccessEntry(at=clock.now))
    copy.apply(f"key.{KEY.kid}", AccessEntry(kind="key", public_key_pem=KEY.public_pem))
    copy.apply("user.u1", AccessEntry(principal_id="u1", name="ada@x.org", grants=[grant("owner")]))
    return copy


def grant(role: str, organization_id: str = "o1", **rest: object) -> Grant:
    return Grant(organization_id=organization_id, role=role, **rest)  # type: ignore[arg-type]


def bearer(subject: str = "u1", lifetime_seconds: float = 60, audience: str = API_AUDIENCE) -> str:
    return "Bearer " + jwt.issue(KEY, subject, audience, lifetime_seconds)


def test_a_person_is_known_by_jwt_and_a_machine_by_token(access: AccessCopy) -> None:
    token = tokens.new_token()
    access.apply(f"token.{tokens.token_hash(token)}", AccessEntry(principal_id="t1", kind="token", name="ci"))
    assert access.authenticate(bearer()).name == "ada@x.org"
    machine = access.authenticate(f"Token {token}")
    assert (machine.id, machine.kind, machine.token_id) == ("t1", "token", "t1")


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Token ", "Token x", "Basic YTpi", bearer("u2"), bearer(audience="other"), "x y"],
)
def test_nobody_else_is(access: AccessCopy, authorization: str | None) -> None:
    with pytest.raises(Unauthenticated):
        access.authenticate(authorization)


def test_a_token_that_expired_or_was_removed_ends(access: AccessCopy, clock: Clock) -> None:
    token = tokens.new_token()
    key = f"token.{tokens.token_hash(token)}"
    access.apply(key, AccessEntry(principal_id="t1", expires_at=clock.now + timedelta(seconds=5)))
    caller = access.authenticate(f"Token {token}")
    clock.now += timedelta(seconds=6)
    with pytest.raises(Unauthenticated, match="expired"):
        access.authenticate(f"Token {token}")
    access.apply(key, None)
    with pytest.raises(Unauthenticated):
        access.recheck(caller)


def test_a_verified_jwt_is_remembered_but_not_longer_than_it_lives(access: AccessCopy, clock: Clock) -> None:
    header = bearer(lifetime_seconds=10)
    access.authenticate(header)
    clock.now += timedelta(seconds=11)
    with pytest.raises(Unauthenticated, match="expired"):
        access.authenticate(header)


def test_log_out_everywhere_voids_older_logins_only(access: AccessCopy, clock: Clock) -> None:
    old = bearer()
    caller = access.authenticate(old)
    entry = AccessEntry(principal_id="u1", grants=[grant("owner")], revoked_before=datetime.now(UTC))
    access.apply("user.u1", entry)
    for attempt in (lambda: access.authenticate(old), lambda: access.recheck(caller)):
        with pytest.raises(Unauthenticated, match="ended"):
            attempt()
    assert access.authenticate(bearer()).id == "u1"


def test_a_removed_signing_key_voids_what_it_signed(access: AccessCopy) -> None:
    header = bearer()
    access.authenticate(header)
    access.apply(f"key.{KEY.kid}", None)
    with pytest.raises(Unauthenticated):
        access.authenticate(header)


def test_a_copy_that_has_not_heard_of_core_denies(access: AccessCopy, clock: Clock) -> None:
    caller = access.authenticate(bearer())
    clock.now += timedelta(seconds=31)
    assert not access.fresh(clock.now)
    for attempt in (
        lambda: access.authenticate(bearer()),
        lambda: access.authorize(caller, Permission.READ, PLACE),
        lambda: access.recheck(caller),
    ):
        with pytest.raises(Unavailable):
            attempt()


@pytest.mark.parametrize("role", ["owner", "admin", "devops", "billing", "viewer", "no-such-role"])
def test_another_organization_sees_nothing(access: AccessCopy, role: str) -> None:
    caller = Caller(id="x", grants=[grant(role, "o2")])
    for permission in (Permission.READ, Permission.ADMIN, Permission.SHELL, Permission.INTERNAL):
        with pytest.raises(NotFound):
            access.authorize(caller, permission, PLACE)


def test_seen_but_not_allowed_is_forbidden_unseen_is_not_found(access: AccessCopy) -> None:
    viewer = Caller(id="x", grants=[grant("viewer")])
    access.authorize(viewer, Permission.READ, PLACE)
    with pytest.raises(Forbidden):
        access.authorize(viewer, Permission.DEPLOY, PLACE)
    for place in (None, Place(found=False), Place()):
        with pytest.raises(NotFound):
            access.authorize(viewer, Permission.READ, place)
    with pytest.raises(Unauthenticated):
        access.authorize(Caller(), Permission.READ, PLACE)
    with pytest.raises(Unauthenticated):
        access.authorize(Caller(), Permission.SIGNED_IN, None)
    access.authorize(Caller(), Permission.PUBLIC, None)


def test_a_custom_role_holds_per_project_mode_and_cluster(access: AccessCopy) -> None:
    custom = grant(
        "r1",
        projects={"p1": {"PRODUCTION": [Permission.READ], "STAGING": [Permission.READ, Permission.MANAGE]}},
        clusters={"c1": [Permission.READ]},
    )
    caller = Caller(id="x", grants=[custom])
    staging = Place(organization_id="o1", project_id="p1", environment_id="e2", mode="STAGING")
    project = Place(organization_id="o1", project_id="p1")
    assert caller.may(Permission.MANAGE, staging)
    assert not caller.may(Permission.MANAGE, PLACE)
    assert caller.may(Permission.READ, project)
    assert not caller.may(Permission.MANAGE, project)
    assert not caller.may(Permission.READ, Place(organization_id="o1", project_id="p2", mode="STAGING"))
    assert caller.may(Permission.READ, Place(organization_id="o1", cluster_id="c1"))
    assert not caller.may(Permission.READ, Place(organization_id="o1", cluster_id="c2"))
    assert caller.may(Permission.READ, Place(organization_id="o1"))
    assert not caller.may(Permission.ADMIN, Place(organization_id="o1"))


def test_who_listens_hears_of_changes_until_it_stops(access: AccessCopy) -> None:
    heard: list[str] = []
    stop = access.on_change(heard.append)
    access.apply("user.u1", None)
    access.apply("alive", AccessEntry(at=datetime.now(UTC)))
    stop()
    access.apply("user.u1", AccessEntry(principal_id="u1"))
    assert heard == ["user.u1"]


async def test_waiting_for_the_copy_has_a_limit(clock: Clock) -> None:
    copy = AccessCopy(clock)
    copy.loaded()
    copy.apply("alive", AccessEntry(at=clock.now - timedelta(hours=1)))
    with pytest.raises(Unavailable):
        await copy.wait_ready(0.05)
    copy.apply("alive", AccessEntry(at=clock.now))
    await copy.wait_ready(0.05)
