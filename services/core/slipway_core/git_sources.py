"""Where source comes from: URLs and branches of Git repositories, checked before anything is done with them. Pure."""

import ipaddress
import re
from urllib.parse import urlsplit

import msgspec

MAX_URL = 1024
REPOSITORY_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
PATH_SEGMENT = re.compile(r"[A-Za-z0-9_.~%+-][A-Za-z0-9_.~%+-]*")
BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)")
PROVIDERS = {
    "GITHUB": "github",
    "GITLAB": "gitlab",
    "BITBUCKET": "bitbucket",
    "GITEA": "gitea",
    "SLIPWAY": "slipway",
}
"""As the public API names them → as webhooks do."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A repository that a URL names."""

    url: str
    owner: str
    name: str
    built_in: bool = False

    @property
    def repository(self) -> str:
        """Its full name: `owner/name`."""
        return f"{self.owner}/{self.name}" if self.owner else self.name


def parse(url: str, public_url: str, allowed_hosts: frozenset[str] = frozenset()) -> Source:
    """The repository, or ValueError with what is wrong with the URL."""
    if len(url) > MAX_URL or re.search(r"[\x00-\x20\x7f]", url):
        raise ValueError("is no URL of a Git repository")
    prefix = f"{public_url.rstrip('/')}/git/"
    if url.startswith(prefix):
        return _built_in(url, url.removeprefix(prefix))
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        _ = parts.port
    except ValueError:
        raise ValueError("is no URL of a Git repository") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("must begin with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password: use a Git token")
    if parts.query or parts.fragment:
        raise ValueError("must not hold ? or #")
    if host not in allowed_hosts and is_internal(host):
        raise ValueError("names a host inside, which is not allowed")
    segments = [segment for segment in parts.path.split("/") if segment]
    if not segments or any(not PATH_SEGMENT.fullmatch(one) or one in (".", "..") for one in segments):
        raise ValueError("names no repository")
    return Source(url=url, owner="/".join(segments[:-1]), name=segments[-1].removesuffix(".git"))


def _built_in(url: str, path: str) -> Source:
    project, _, service = path.removesuffix("/").removesuffix(".git").partition("/")
    if not REPOSITORY_NAME.fullmatch(project) or not REPOSITORY_NAME.fullmatch(service):
        raise ValueError("is not <project>/<service>.git of the built-in remote")
    return Source(url=url, owner=project, name=service, built_in=True)


def built_in_url(public_url: str, repository: str) -> str:
    return f"{public_url.rstrip('/')}/git/{repository}.git"


def is_internal(host: str) -> bool:
    """Whether a host name, as written, is one that no public repository has."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or "." not in host.strip("[]"):
        return ":" not in host or not _is_public(host)
    return not _is_public(host) if re.fullmatch(r"[0-9.]+|\[?[0-9a-f:.]+\]?|0x[0-9a-f.x]+", host) else False


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return False


def check_branch(branch: str) -> None:
    """ValueError for what Git would not take as a branch, or would take as an option."""
    if not 0 < len(branch) <= 255 or branch.startswith(("-", "/", ".")) or branch.endswith(("/", ".")) or branch == "@":
        raise ValueError("is no name of a branch")
    if BAD_IN_REF.search(branch):
        raise ValueError("is no name of a branch")


def clean_path(path: str) -> str:
    """A path inside the repository, from its root: `./a//b/` → `/a/b`. ValueError for one that leaves it."""
    segments = [segment for segment in path.split("/") if segment not in ("", ".")]
    if ".." in segments or re.search(r"[\x00-\x1f\x7f\\]", path) or len(path) > MAX_URL:
        raise ValueError("must stay inside the repository")
    if any(segment.startswith("-") for segment in segments):
        raise ValueError("must not hold a part that begins with a dash")
    return "/" + "/".join(segments)
