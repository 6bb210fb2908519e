"""Everything that can reach the built-in remote. Handlers check the Basic credentials that git clients send."""

from slipway_contracts.access import Permission
from slipway_git.handlers import smart
from slipway_http import Route

REPOSITORY = "/git/{project}/{repository}"
UNLIMITED = 2**62
"""Packs are limited by git itself (receive.maxInputSize) while they stream through."""

ROUTES = [
    Route("GET", f"{REPOSITORY}/info/refs", smart.refs, needs=Permission.PUBLIC, raw=True),
    Route(
        "POST",
        f"{REPOSITORY}/{smart.UPLOAD}",
        smart.upload,
        needs=Permission.PUBLIC,
        raw=True,
        max_body_bytes=UNLIMITED,
    ),
    Route(
        "POST",
        f"{REPOSITORY}/{smart.RECEIVE}",
        smart.receive,
        needs=Permission.PUBLIC,
        raw=True,
        max_body_bytes=UNLIMITED,
    ),
]
