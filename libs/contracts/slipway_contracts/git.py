"""Git: what providers tell us, normalised, and the links by which they may."""

from datetime import datetime

from slipway_contracts.base import Bucket, Message, Topic
from slipway_contracts.streams import GIT


class Commit(Message, frozen=True, kw_only=True):
    """One commit, as far as a deployment needs it."""

    id: str
    message: str = ""
    author_name: str = ""
    author_email: str = ""
    author_avatar_url: str = ""
    at: datetime | None = None


class Push(Message, frozen=True, kw_only=True):
    """A branch or tag moved, came or went."""

    link_id: str
    delivery_id: str
    """Unique per link: the provider's delivery id, the row that makes a delivery take effect once."""
    provider: str
    """github, gitlab, bitbucket, gitea, slipway, hook."""
    organization_id: str
    repository: str
    """Full name at the provider: `owner/name`; for the built-in remote `<project>/<service>`."""
    clone_url: str
    ref: str
    """Full ref: refs/heads/main, refs/tags/v1."""
    before: str
    """All zeros when the ref is new; empty when the provider doesn't tell it (a branch deleted at Gitea)."""
    after: str
    """All zeros when the ref was deleted."""
    forced: bool = False
    head: Commit | None = None
    commit_count: int = 0
    paths: list[str] | None = None
    """Changed paths of all commits; None when the provider didn't tell them all."""
    pusher: str = ""
    received_at: datetime


GIT_PUSHED = Topic("git.{provider}.push", Push, owner="webhooks", stream=GIT)


class PullRequest(Message, frozen=True, kw_only=True):
    """Something happened to a pull or merge request."""

    link_id: str
    delivery_id: str
    """As in Push: unique per link."""
    provider: str
    organization_id: str
    repository: str
    """Where it is to be merged: `owner/name`."""
    clone_url: str
    number: int
    action: str
    """opened, synchronized (new commits), labeled, unlabeled, retargeted (other base), reopened, closed, merged."""
    title: str = ""
    url: str = ""
    source_branch: str
    source_repository: str = ""
    """Where its commits are; empty when the provider no longer knows (the fork was deleted)."""
    source_clone_url: str = ""
    from_fork: bool = True
    """Its commits come from another repository than the one it is for; unless the provider says otherwise."""
    target_branch: str
    head: str = ""
    """Newest commit of the source branch; Bitbucket Cloud gives the first twelve digits."""
    labels: list[str] = []
    label: str = ""
    """Which one was put on or taken off, where the provider says it."""
    draft: bool = False
    author: str = ""
    sender: str = ""
    """Who did this."""
    received_at: datetime


GIT_PULL_REQUESTED = Topic("git.{provider}.pull_request", PullRequest, owner="webhooks", stream=GIT)


class Comment(Message, frozen=True, kw_only=True):
    """Somebody wrote a command to us below a pull or merge request: `/slipway preview`, `/slipway deploy`."""

    link_id: str
    delivery_id: str
    provider: str
    organization_id: str
    repository: str
    clone_url: str
    number: int
    """Of the pull or merge request."""
    command: str
    """preview, deploy."""
    arguments: str = ""
    """What stands behind it on the same line."""
    comment_id: str
    url: str = ""
    author: str
    author_role: str = ""
    """What the provider says of the author, as it says it (GitHub: OWNER, MEMBER, CONTRIBUTOR, NONE …), or nothing."""
    source_branch: str = ""
    """Empty where the provider doesn't say it with a comment (GitHub, Gitea)."""
    target_branch: str = ""
    head: str = ""
    from_fork: bool | None = None
    received_at: datetime


GIT_COMMENTED = Topic("git.{provider}.comment", Comment, owner="webhooks", stream=GIT)


class ImagePush(Message, frozen=True, kw_only=True):
    """A registry took a container image."""

    link_id: str
    delivery_id: str
    provider: str
    """dockerhub, github, harbor, registry, hook."""
    organization_id: str
    image: str
    """Without tag, as one pulls it: `ghcr.io/acme/shop`; without a host when the registry doesn't say its own."""
    tag: str = ""
    digest: str = ""
    """sha256:…, where the registry says it."""
    pusher: str = ""
    received_at: datetime


IMAGE_PUSHED = Topic("git.{provider}.image", ImagePush, owner="webhooks", stream=GIT)


class RemotePush(Message, frozen=True, kw_only=True):
    """What the built-in remote posts, signed, to its link's webhook: one updated ref of an accepted push."""

    repository: str
    clone_url: str
    ref: str
    before: str
    after: str
    forced: bool = False
    head: Commit | None = None
    commit_count: int = 0
    paths: list[str] | None = None
    pusher: str = ""


class GitLink(Message, frozen=True, kw_only=True):
    """One webhook endpoint `/hooks/<provider>/<link id>`: what it proves, and for whom."""

    id: str
    provider: str
    organization_id: str
    repository: str
    clone_url: str = ""
    sealed_secrets: list[bytes] = []
    """HPKE-sealed to the webhook gateway's key, bound to the link id; two while a secret is rotated."""
    remote_sealed_secret: bytes = b""
    """Only for provider `slipway`: the same secret sealed to the built-in remote's key, which signs with it."""
    project_id: str = ""
    environment_id: str = ""
    service_id: str = ""
    """For provider `slipway`: what this repository is for (who may push is decided by rights on it)."""
    service_url: str = ""
    """For provider `slipway`: where the service answers, shown to who pushed."""


GIT_LINKS = Bucket("git-links", GitLink, owner="core", description="Webhook links and their sealed secrets")
"""Key: the link id."""
