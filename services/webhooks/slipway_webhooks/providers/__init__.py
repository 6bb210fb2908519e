"""The providers: where each puts its proof, id and event, and what its events mean. All pure.

A new provider is a module with a `Provider` and one line here.
"""

from slipway_webhooks.providers import bitbucket, gitea, github, gitlab, hook, registries, slipway
from slipway_webhooks.providers.provider import Accepted, Ignored, Provider

PROVIDERS: dict[str, Provider] = {
    "github": github.PROVIDER,
    "gitlab": gitlab.PROVIDER,
    "bitbucket": bitbucket.PROVIDER,
    "gitea": gitea.PROVIDER,
    "forgejo": gitea.PROVIDER,
    "dockerhub": registries.DOCKERHUB,
    "harbor": registries.HARBOR,
    "registry": registries.REGISTRY,
    "hook": hook.PROVIDER,
    "slipway": slipway.PROVIDER,
}
"""By the name in the address. Forgejo is Gitea's kin and counts as it."""

__all__ = ["PROVIDERS", "Accepted", "Ignored", "Provider"]
