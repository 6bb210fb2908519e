"""Names of container images, and which tag a push of one means. Pure.

An image is a registry's host, a repository and a tag; Docker Hub leaves out what others write.
"""

import re
from urllib.parse import urlsplit

HUB = "docker.io"
HUB_HOSTS = frozenset({HUB, "index.docker.io", "registry-1.docker.io", "hub.docker.com", "registry.hub.docker.com"})
VERSION = re.compile(r"(v?)(\d+(?:\.\d+){0,3})([-+].*)?")


def host_of(url: str) -> str:
    """The host (with its port) of a registry's address; Docker Hub has one name."""
    host = urlsplit(url if "://" in url else f"https://{url}").netloc.rpartition("@")[2].lower()
    return HUB if host in HUB_HOSTS else host


def split(image: str) -> tuple[str, str]:
    """(host, repository) of an image as one pulls it; the host is empty when it isn't said."""
    first, slash, rest = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return host_of(first), _short(rest, host_of(first))
    return "", _short(image, "")


def _short(repository: str, host: str) -> str:
    """Docker Hub's own images are written with and without `library/`."""
    return repository.removeprefix("library/") if host in ("", HUB) else repository


def is_same(configured: str, registry_url: str, other: str) -> bool:
    """Whether an image name at a registry is the `other` image; a host that one of them doesn't say fits any."""
    host, repository = split(configured)
    host = host or (host_of(registry_url) if registry_url else "")
    other_host, other_repository = split(other)
    if host == HUB:
        repository = repository.removeprefix("library/")
    return repository == other_repository and (not other_host or not host or host == other_host)


def follows(tag: str, pushed: str) -> bool:
    """Whether a service at `tag` takes what was pushed: the same tag moved, or a newer version in the same form.

    Any other tag (a branch, a pull request) is somebody else's: a push alone doesn't say that it is meant.
    """
    if tag == pushed:
        return True
    old, new = VERSION.fullmatch(tag), VERSION.fullmatch(pushed)
    if old is None or new is None or (old[1], old[3]) != (new[1], new[3]):
        return False
    before, after = _numbers(old[2]), _numbers(new[2])
    return len(before) == len(after) and after > before


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
