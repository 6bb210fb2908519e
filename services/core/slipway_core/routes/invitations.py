"""Invitations into organizations."""

from slipway_contracts.access import Permission
from slipway_core.api import answers, bodies
from slipway_core.handlers import invitations, sessions
from slipway_http import Route

READ, ADMIN, SIGNED_IN, PUBLIC = Permission.READ, Permission.ADMIN, Permission.SIGNED_IN, Permission.PUBLIC
ALL = "/organization/{organizationId}/inviteMember"
ONE = f"{ALL}/{{inviteId}}"
TAG = "Members"

ROUTES: list[Route] = [
    Route(
        "GET",
        ALL,
        invitations.all,
        needs=READ,
        of="organization",
        returns=answers.InviteMemberResponseList,
        summary="List who is invited",
        tag=TAG,
    ),
    Route(
        "POST",
        ALL,
        invitations.invite,
        needs=ADMIN,
        of="organization",
        body=bodies.InviteMemberRequest,
        returns=answers.InviteMember,
        status=201,
        summary="Invite somebody",
        tag=TAG,
    ),
    Route(
        "GET",
        ONE,
        invitations.get,
        needs=SIGNED_IN,
        returns=answers.InviteMember,
        summary="Get an invitation",
        description="For members of the organization, and for who is invited.",
        tag=TAG,
    ),
    Route(
        "POST",
        ONE,
        invitations.accept,
        needs=SIGNED_IN,
        returns=answers.InviteMember,
        status=201,
        summary="Accept an invitation",
        description="For who is invited.",
        tag=TAG,
    ),
    Route(
        "POST",
        f"{ONE}/signUp",
        invitations.sign_up,
        needs=PUBLIC,
        body=invitations.SignUp,
        returns=sessions.LoggedIn,
        status=201,
        max_body_bytes=4096,
        summary="Make an account for who is invited, and accept",
        description="Needs the token of the invitation's link.",
        tag=TAG,
    ),
    Route(
        "DELETE",
        ONE,
        invitations.delete,
        needs=ADMIN,
        of="organization",
        status=204,
        summary="Take an invitation back",
        tag=TAG,
    ),
]
