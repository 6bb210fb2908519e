"""Git providers behind one small protocol, told apart by data: nothing else knows where a repository is at."""

from dataclasses import dataclass, field

from slipway_core.outgoing import Outgoing
from slipway_core.providers.api import (
    Api,
    ProviderLimited,
    ProviderRefused,
    ProviderUnavailable,
    Quiet,
    Target,
)
from slipway_core.providers.bitbucket import Bitbucket
from slipway_core.providers.gitea import Gitea
from slipway_core.providers.github import GitHub
from slipway_core.providers.gitlab import GitLab
from slipway_core.providers.protocol import (
    CommitInfo,
    CommitStatus,
    Hook,
    Provider,
    PullRequestTruth,
    WrittenComment,
)

PROVIDERS: dict[str, type[GitHub | GitLab | Bitbucket | Gitea]] = {
    "github": GitHub,
    "gitlab": GitLab,
    "bitbucket": Bitbucket,
    "gitea": Gitea,
    "forgejo": Gitea,
}
"""By the name that links and webhooks have for them."""


@dataclass(frozen=True)
class Providers:
    """Opens repositories at their providers; remembers who wants to be left alone."""

    inside: frozenset[str] = frozenset()
    quiet: Quiet = field(default_factory=Quiet)

    def at(self, target: Target) -> Provider:
        """A repository at its provider. ProviderRefused for providers that have no API."""
        kind = PROVIDERS.get(target.provider)
        if kind is None:
            raise ProviderRefused(f"{target.provider} has no API that Slipway speaks.")
        headers = kind.headers(target.token)
        return kind(Api(Outgoing(self.inside), self.quiet, target, kind.base(target.api_url), headers))


__all__ = [
    "PROVIDERS",
    "CommitInfo",
    "CommitStatus",
    "Hook",
    "Provider",
    "ProviderLimited",
    "ProviderRefused",
    "ProviderUnavailable",
    "Providers",
    "PullRequestTruth",
    "Target",
    "WrittenComment",
]
