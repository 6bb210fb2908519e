"""What handlers of the built-in remote may use."""

import asyncio
from dataclasses import dataclass, field

from slipway_git.backend import Limits
from slipway_git.deliveries import Deliveries
from slipway_git.links import Links
from slipway_git.repositories import Repositories
from slipway_http.calls import Locator
from slipway_security.access import AccessCopy


@dataclass(frozen=True)
class Git:
    access: AccessCopy
    locate: Locator
    links: Links
    repositories: Repositories
    deliveries: Deliveries
    transfers: asyncio.Semaphore
    limits: Limits
    quiet: set[str] = field(default_factory=set)
    """Pushes on their way that nobody looks at (`git push --quiet`, or without a terminal)."""
