"""URLs, branches and paths of Git repositories: what is taken can do no harm."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_core.git_sources import check_branch, clean_path, is_internal, parse

PUBLIC = "http://localhost:8080"


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("https://github.com/acme/shop.git", "acme/shop"),
        ("https://github.com/acme/shop", "acme/shop"),
        ("https://gitlab.com/group/sub/shop.git", "group/sub/shop"),
        ("http://git.example.com:3000/acme/shop.git", "acme/shop"),
        ("http://localhost:8080/git/demo/web.git", "demo/web"),
    ],
)
def test_repositories_are_read_from_urls(url: str, repository: str) -> None:
    assert parse(url, PUBLIC).repository == repository


@given(st.text(max_size=60))
def test_whatever_is_taken_is_plain_http_to_a_host_outside(text: str) -> None:
    try:
        source = parse(text, PUBLIC)
    except ValueError:
        return
    assert source.built_in or re.match(r"https?://[^/@\s]+/", text)
    assert not text.startswith("-")
    assert not re.search(r"[\x00-\x20\x7f]", text)


@given(st.ip_addresses(v=4))
def test_private_addresses_are_inside_however_they_are_written(address: object) -> None:
    number = int(address)  # type: ignore[call-overload]
    if not address.is_global:  # type: ignore[attr-defined]
        assert is_internal(str(address))
    assert is_internal(str(number))
    assert is_internal(hex(number))


@pytest.mark.parametrize(
    "host", ["localhost", "db", "a.local", "x.internal", "web.localhost", "[::1]", "[fe80::1]", "10.1"]
)
def test_names_inside_are_known(host: str) -> None:
    assert is_internal(host)


@given(st.text(alphabet=string.printable, max_size=40))
def test_branches_are_never_options_or_paths_out(branch: str) -> None:
    try:
        check_branch(branch)
    except ValueError:
        return
    assert not branch.startswith("-")
    assert ".." not in branch
    assert not re.search(r"[\s\x00-\x1f~^:?*\[\\]", branch)


@pytest.mark.parametrize("branch", ["main", "feature/login", "release-1.2", "dépendances", "user@host"])
def test_usual_branches_are_fine(branch: str) -> None:
    check_branch(branch)


@given(st.text(max_size=40))
def test_paths_stay_inside(path: str) -> None:
    try:
        clean = clean_path(path)
    except ValueError:
        return
    assert clean.startswith("/")
    assert ".." not in clean.split("/")
    assert not any(part.startswith("-") for part in clean.split("/"))
    assert clean_path(clean) == clean
