"""Which repositories there are: a copy of the links of provider `slipway` in the bucket `git-links`."""

import asyncio

from slipway_bus import LOADED
from slipway_contracts.git import GitLink
from slipway_git.problems import NoSuchRepository
from slipway_security import sealing

PATIENCE_SECONDS = 2.0
"""How long a repository that was created this moment may take to be known here."""


class Links:
    """Links by the full name of their repository, `<project>/<service>`."""

    def __init__(self, private_key: bytes) -> None:
        self._private_key = private_key
        self._by_id: dict[str, GitLink] = {}
        self._by_repository: dict[str, GitLink] = {}
        self._by_service: dict[str, GitLink] = {}
        self._changed = asyncio.Event()
        self.loaded = False

    def apply(self, key: str, link: GitLink | None) -> None:
        """Take over one change of the bucket."""
        if key == LOADED:
            self.loaded = True
        elif before := self._by_id.pop(key, None):
            self._by_repository.pop(before.repository, None)
            self._by_service.pop(before.service_id, None)
        if link is not None and link.provider == "slipway":
            self._by_id[key] = self._by_repository[link.repository] = self._by_service[link.service_id] = link
        self._changed.set()
        self._changed = asyncio.Event()

    async def find(self, repository: str) -> GitLink:
        """The link; one that is not known yet is waited for a moment, then NoSuchRepository."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while repository not in self._by_repository:
                    await self._changed.wait()
        except TimeoutError:
            raise NoSuchRepository from None
        return self._by_repository[repository]

    def of_service(self, service_id: str) -> GitLink | None:
        return self._by_service.get(service_id)

    def secret(self, link: GitLink) -> bytes:
        """What deliveries of this link are signed with; DecryptionFailed when it was sealed for another key."""
        return sealing.open_sealed(self._private_key, link.remote_sealed_secret, link.id)
