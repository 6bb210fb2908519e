"""Names of images, and which tag a push of one means."""

import pytest

from slipway_core import images


@pytest.mark.parametrize(
    ("configured", "url", "other", "same"),
    [
        ("acme/shop", "https://ghcr.io", "ghcr.io/acme/shop", True),
        ("acme/shop", "https://ghcr.io", "acme/shop", True),
        ("acme/shop", "https://ghcr.io", "docker.io/acme/shop", False),
        ("acme/shop", "https://ghcr.io", "ghcr.io/acme/shop2", False),
        ("acme/shop", "https://ghcr.io", "shop", False),
        ("redis", "https://docker.io", "docker.io/library/redis", True),
        ("library/redis", "https://registry-1.docker.io", "redis", True),
        ("redis", "https://docker.io", "index.docker.io/redis", True),
        ("shop", "https://registry.example.com:5000", "registry.example.com:5000/shop", True),
        ("shop", "https://registry.example.com:5000", "registry.example.com/shop", False),
        ("shop", "", "ghcr.io/shop", True),
    ],
)
def test_images_are_the_same_by_host_and_name(configured: str, url: str, other: str, same: bool) -> None:
    assert images.is_same(configured, url, other) is same


@pytest.mark.parametrize(
    ("tag", "pushed", "follows"),
    [
        ("latest", "latest", True),
        ("main", "main", True),
        ("1.2.3", "1.2.4", True),
        ("1.9", "1.10", True),
        ("v1.2", "v2.0", True),
        ("8-alpine", "9-alpine", True),
        ("1.2.3", "1.2.2", False),
        ("1.2.3", "2.0", False),  # another form: a moving tag, not a version of its own
        ("1.2.3", "1.2.4-rc1", False),
        ("1.2.3", "v1.2.4", False),
        ("1.2.3", "latest", False),
        ("main", "pr-7", False),
        ("latest", "1.2.3", False),
    ],
)
def test_a_push_is_followed_by_what_runs_its_tag_or_an_older_version(tag: str, pushed: str, follows: bool) -> None:
    assert images.follows(tag, pushed) is follows
