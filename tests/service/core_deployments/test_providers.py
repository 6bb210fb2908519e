"""One protocol, four providers: each held against a host that takes nothing but what its API documents."""

import time
from collections.abc import AsyncIterator

import pytest

from slipway_core.providers import (
    CommitStatus,
    Provider,
    ProviderLimited,
    ProviderRefused,
    Providers,
    ProviderUnavailable,
    Target,
)
from slipway_testing.git_hosts import FRONTS, GitHost, KnownDelivery, Repository, Trouble, git_host

NAMES = sorted(FRONTS)
HOOK = "https://slipway.example.org/hooks/x/1"
SECRET = "a secret of ours"


@pytest.fixture
async def host() -> AsyncIterator[GitHost]:
    async with git_host() as running:
        yield running


@pytest.fixture
def repository(host: GitHost) -> Repository:
    return host.hosted.repository("acme/shop")


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def at(host: GitHost, name: str, path: str = "acme/shop", token: str | None = None) -> Provider:
    target = Target(
        provider=name,
        api_url=host.url,
        repository=path,
        clone_url=f"{host.url}/{path}.git",
        token=host.hosted.token if token is None else token,
    )
    return Providers(frozenset({"127.0.0.1"})).at(target)


@pytest.fixture
def provider(host: GitHost, repository: Repository, name: str) -> Provider:
    return at(host, name)


async def test_where_a_branch_stands(provider: Provider, repository: Repository) -> None:
    head = repository.commit("feature/a b#1", "x.py")
    assert await provider.branch_head("feature/a b#1") == head
    assert await provider.branch_head("none") is None


async def test_a_commit_with_its_words(provider: Provider, repository: Repository) -> None:
    id = repository.commit("main", message="Fix [skip ci]")
    found = await provider.commit(id)
    assert found is not None
    assert (found.id, found.message, found.author_name, found.author_email) == (
        id,
        "Fix [skip ci]",
        "Ada",
        "ada@example.org",
    )
    assert found.at is not None
    assert found.at.year == 2026


async def test_requests_of_branches_and_forks(provider: Provider, repository: Repository, host: GitHost) -> None:
    mine = repository.commit("feature")
    repository.request(1, "feature", title="Mine")
    fork = host.hosted.repository("eve/shop")
    theirs = fork.commit("evil")
    repository.request(2, "evil", fork)
    repository.request(3, "feature").open = False
    listed = {one.number: one for one in await provider.open_pull_requests()}
    assert set(listed) == {1, 2}
    one = await provider.pull_request(1)
    assert one is not None
    assert mine.startswith(one.head)
    assert (one.open, one.from_fork, one.source_branch, one.target_branch, one.title) == (
        True,
        False,
        "feature",
        "main",
        "Mine",
    )
    assert one.source_clone_url == f"{host.url}/acme/shop.git"
    two = listed[2]
    assert theirs.startswith(two.head)
    assert (two.from_fork, two.source_repository, two.source_clone_url) == (
        True,
        "eve/shop",
        f"{host.url}/eve/shop.git",
    )
    assert await provider.pull_request(9) is None
    closed = await provider.pull_request(3)
    assert closed is not None
    assert not closed.open


async def test_a_request_whose_fork_is_gone(provider: Provider, repository: Repository) -> None:
    repository.request(4, "feature").source = None
    one = await provider.pull_request(4)
    assert one is not None
    assert (one.open, one.from_fork, one.source_clone_url, one.head) == (True, True, "", "")


async def test_lists_are_read_to_their_end(provider: Provider, repository: Repository) -> None:
    for number in range(1, 124):
        repository.request(number, "main")
    assert [one.number for one in await provider.open_pull_requests()] == list(range(1, 124))


async def test_what_changed_between_commits(provider: Provider, repository: Repository) -> None:
    base = repository.commit("main", "a.py")
    repository.commit("main", "web/b.py")
    head = repository.commit("main", "web/c.py")
    assert sorted(await provider.changed_paths(base, head) or []) == ["web/b.py", "web/c.py"]


@pytest.mark.parametrize("state", ["pending", "running", "success", "failure", "canceled"])
async def test_a_status_beside_a_commit(provider: Provider, repository: Repository, name: str, state: str) -> None:
    id = repository.commit("main")
    status = CommitStatus(
        state=state, context="slipway/" + "e" * 60, description="é" * 300, url="https://s.example.org/x"
    )
    await provider.set_status(id, status)
    [(at_commit, body)] = repository.statuses
    assert at_commit == id
    words = {
        "github": ("pending", "pending", "success", "failure", "error"),
        "gitea": ("pending", "pending", "success", "failure", "error"),
        "gitlab": ("pending", "running", "success", "failed", "canceled"),
        "bitbucket": ("INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"),
    }[name]
    assert body["state"] == words[["pending", "running", "success", "failure", "canceled"].index(state)]
    await provider.set_status(id, status)


async def test_one_comment_written_and_edited(provider: Provider, repository: Repository) -> None:
    repository.request(1, "main")
    id = await provider.add_comment(1, "first")
    assert [(one.id, one.text) for one in await provider.comments(1)] == [(id, "first")]
    assert await provider.edit_comment(1, id, "second")
    assert [one.text for one in await provider.comments(1)] == ["second"]
    repository.comments.clear()
    assert not await provider.edit_comment(1, id, "third")


async def test_a_webhook_is_made_seen_and_mended(provider: Provider, repository: Repository, name: str) -> None:
    assert await provider.hooks() == []
    await provider.add_hook(HOOK, SECRET)
    [hook] = await provider.hooks()
    assert (hook.url, hook.active, hook.as_json, hook.has_secret) == (HOOK, True, True, True)
    assert hook.events >= provider.events
    known = next(iter(repository.hooks.values()))
    if name == "gitlab":
        known.body["merge_requests_events"] = False
    else:
        known.body |= {"events": ["repo:push" if name == "bitbucket" else "push"]}
    [broken] = await provider.hooks()
    assert provider.events - broken.events
    await provider.edit_hook(broken.id, HOOK, SECRET)
    [mended] = await provider.hooks()
    assert mended.events >= provider.events
    secret = known.body.get("config", known.body)
    assert SECRET in secret.values() or known.body.get("token") == SECRET


async def test_github_is_asked_again_for_what_never_came_home(host: GitHost, repository: Repository) -> None:
    provider = at(host, "github")
    await provider.add_hook(HOOK, SECRET)
    [hook] = await provider.hooks()
    repository.deliveries = [
        KnownDelivery(5, "late", 202),
        KnownDelivery(4, "lost", 503),
        KnownDelivery(3, "hopeless", 500),
        *(KnownDelivery(20 + n, "hopeless", 500) for n in range(3)),
        KnownDelivery(2, "late", 0),
        KnownDelivery(1, "fine", 202),
    ]
    assert await provider.ask_again(hook.id) == 1
    assert repository.asked_again == [4]
    assert await provider.ask_again(hook.id) == 0


async def test_a_wrong_token_is_refused_and_in_no_error(host: GitHost, repository: Repository, name: str) -> None:
    with pytest.raises(ProviderRefused, match="401") as caught:
        await at(host, name, token="s3cret-of-somebody").branch_head("main")
    assert "s3cret" not in str(caught.value.facts) + caught.value.detail


async def test_a_token_that_may_not_is_told_apart(host: GitHost, provider: Provider, repository: Repository) -> None:
    host.hosted.may_write = False
    repository.request(1, "main")
    with pytest.raises(ProviderRefused, match="403"):
        await provider.add_comment(1, "x")


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"Retry-After": "120"}),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 120)}),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": str(int(time.time()) + 120)}),
    ],
)
async def test_who_wants_to_be_left_alone_is(
    host: GitHost, repository: Repository, name: str, status: int, headers: dict[str, str]
) -> None:
    provider = at(host, name)
    host.hosted.trouble = Trouble(status, headers)
    with pytest.raises(ProviderLimited) as caught:
        await provider.branch_head("main")
    assert 60 < caught.value.retry_after_seconds <= 121
    asked = len(host.hosted.asked)
    with pytest.raises(ProviderLimited):
        await provider.branch_head("main")
    assert len(host.hosted.asked) == asked


async def test_one_tokens_limit_is_not_anothers(host: GitHost, repository: Repository) -> None:
    providers = Providers(frozenset({"127.0.0.1"}))
    one = Target(provider="github", api_url=host.url, repository="acme/shop", token="")
    host.hosted.trouble = Trouble(429, {"Retry-After": "60"})
    with pytest.raises(ProviderLimited):
        await providers.at(one).branch_head("main")
    other = Target(provider="github", api_url=host.url, repository="acme/shop", token=host.hosted.token)
    assert await providers.at(other).branch_head("main")


@pytest.mark.parametrize("trouble", [Trouble(500), Trouble(503), Trouble(302, {"Location": "http://127.0.0.1:1/"})])
async def test_a_host_in_trouble(host: GitHost, provider: Provider, trouble: Trouble) -> None:
    host.hosted.trouble = Trouble(trouble.status, trouble.headers)
    with pytest.raises((ProviderUnavailable, ProviderRefused)):
        await provider.branch_head("main")
    assert await provider.branch_head("main")


async def test_hosts_inside_are_not_asked(host: GitHost, repository: Repository, name: str) -> None:
    target = Target(provider=name, api_url=host.url, repository="acme/shop", token=host.hosted.token)
    with pytest.raises(ProviderUnavailable, match="inside"):
        await Providers().at(target).branch_head("main")
    assert host.hosted.asked == []


async def test_names_are_no_paths(host: GitHost, repository: Repository, name: str) -> None:
    """A branch or repository with odd characters asks for itself, not for something else."""
    provider = at(host, name)
    for odd in ("../../../user", "a?b=c", "x#y", "%2e%2e"):
        assert await provider.branch_head(odd) is None
