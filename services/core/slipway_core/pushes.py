"""What a push means for the services that may follow it. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from slipway_contracts.git import Push

NOTHING = re.compile(r"0+")
SKIP_WORDS = re.compile(r"\[(skip (ci|cd|deploy)|(ci|cd|deploy) skip|no ci)\]", re.IGNORECASE)
SCP_FORM = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)")
BRANCH = "refs/heads/"


def repository_key(url: str) -> str:
    """Two URLs of one repository have one key: host and path, without login, scheme, `.git`, or capitals."""
    scp = SCP_FORM.fullmatch(url)
    if scp is not None and "://" not in url:
        host, path = scp[1], scp[2]
    else:
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path
        if parts.port is not None and parts.scheme not in ("ssh", "git"):
            host = f"{host}:{parts.port}"
    return f"{host}/{path.strip('/').removesuffix('.git')}".lower()


@dataclass(frozen=True)
class Decision:
    """What to do with a push, and why."""

    name: str
    """followed, deleted, tag, older, repeated, skipped."""
    detail: str = ""
    commit: str = ""
    """Where the ref stands now."""

    @property
    def deploys(self) -> bool:
        return self.name == "followed"

    @property
    def moves_head(self) -> bool:
        return self.name in ("followed", "skipped")


def is_unexpected(push: Push, head: str) -> bool:
    """It doesn't continue what we know: one was missed, or this one is late, or the branch was forced."""
    moved = push.ref.startswith(BRANCH) and not NOTHING.fullmatch(push.after)
    return bool(head) and moved and push.before != head and push.after != head


def decide(push: Push, head: str, older: bool, newest: str = "") -> Decision:
    """What to do with a push.

    `head`: where the ref stood as far as we know. `newest`: where the remote says that it stands, when it was asked.
    `older`: a push that began where this one ends was here before.
    """
    if NOTHING.fullmatch(push.after):
        return Decision("deleted", f"{push.ref} was deleted")
    if not push.ref.startswith(BRANCH):
        return Decision("tag", f"{push.ref} is not a branch")
    if push.after == head:
        return Decision("repeated", f"{push.ref} is at {push.after[:8]} already")
    # Pushes overtake each other on their way. One that continues what we know is newer. Of the others the remote knows
    # best; where it can't be asked, one whose successor was here before is older.
    commit = push.after
    if is_unexpected(push, head):
        if newest == head or (not newest and older):
            return Decision("older", f"a later push of {push.ref} was handled before")
        commit = newest or push.after
    words = SKIP_WORDS.search(push.head.message) if push.head is not None and commit == push.after else None
    if words is not None:
        return Decision("skipped", f"the commit says {words[0]}", commit)
    return Decision("followed", commit=commit)
