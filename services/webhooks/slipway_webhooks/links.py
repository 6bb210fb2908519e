"""The links and their secrets, in memory: a copy of the bucket `git-links`.

Secrets are opened when a link is first used: opening 50,000 at start would take longer than anybody wants to wait.
"""

from collections.abc import Mapping

import structlog

from slipway_bus import LOADED
from slipway_contracts.git import GitLink
from slipway_security import sealing
from slipway_security.faults import DecryptionFailed
from slipway_webhooks.problems import UnknownLink
from slipway_webhooks.signatures import SHORTEST_SECRET_BYTES

MAX_SECRETS = 2
"""The present secret and the one before it, while it is rotated."""
log = structlog.get_logger()


class Links:
    """All links, by id. `apply` is fed from the bus."""

    def __init__(self, private_key: bytes) -> None:
        self._private_key = private_key
        self._links: dict[str, GitLink] = {}
        self._opened: dict[str, tuple[bytes, ...]] = {}
        self.loaded = False
        """All links that there were at the start are known."""

    def apply(self, key: str, link: GitLink | None) -> None:
        """Take over one change; it is in force with the next delivery."""
        if key == LOADED:
            self.loaded = True
            log.info("links loaded", links=len(self._links))
            return
        self._opened.pop(key, None)
        if link is None:
            self._links.pop(key, None)
        else:
            self._links[key] = link

    def get(self, id: str) -> GitLink:
        """The link; UnknownLink when there is none."""
        link = self._links.get(id)
        if link is None:
            raise UnknownLink("No repository is linked at this address. Was the service deleted?")
        return link

    def secrets(self, link: GitLink) -> tuple[bytes, ...]:
        """Its secrets in the clear; those that can't be opened are left out, and said so in the log."""
        opened = self._opened.get(link.id)
        if opened is None:
            opened = self._opened[link.id] = tuple(self._open(link))
        return opened

    def _open(self, link: GitLink) -> list[bytes]:
        found = []
        for sealed in link.sealed_secrets[:MAX_SECRETS]:
            try:
                secret = sealing.open_sealed(self._private_key, sealed, link.id)
            except DecryptionFailed:
                log.error("secret of a link can't be opened", link=link.id)
                continue
            if len(secret) < SHORTEST_SECRET_BYTES:
                log.error("secret of a link is too short to prove anything", link=link.id, bytes=len(secret))
                continue
            found.append(secret)
        return found

    @property
    def by_id(self) -> Mapping[str, GitLink]:
        return self._links
