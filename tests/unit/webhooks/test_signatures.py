"""Signatures: right ones verify, everything else doesn't."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_webhooks.providers import PROVIDERS
from slipway_webhooks.signatures import Sent, equal, standard, standard_keys, verified

SECRET = b"It's a Secret to Everybody"
HEADERS = [
    "X-Hub-Signature-256",
    "X-Hub-Signature",
    "X-Gitea-Signature",
    "X-Forgejo-Signature",
    "X-Slipway-Signature",
    "X-Gitlab-Token",
    "Authorization",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
]
BODY = b"Hello, World!"
PUBLISHED = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
"""GitHub's published vector for this secret and body."""


def proven(provider: str, headers: dict[str, str], *, body: bytes = BODY, token: str = "", at: float = 0) -> bool:
    return PROVIDERS[provider].proof(Sent(headers, body, token, at), [SECRET])


def test_the_published_vector_of_github_verifies() -> None:
    assert proven("github", {"X-Hub-Signature-256": f"sha256={PUBLISHED}"})


def test_either_of_two_secrets_verifies() -> None:
    assert verified(BODY, PUBLISHED, [b"the new secret", SECRET])
    assert verified(BODY, PUBLISHED, [SECRET, b"the old secret"])
    assert not verified(BODY, PUBLISHED, [b"the new secret", b"the old secret"])


@pytest.mark.parametrize("secrets", [[], [b""], [b"", b""], [b"short"]])
def test_without_a_usable_secret_nothing_verifies(secrets: list[bytes]) -> None:
    for secret in (b"", b"short", b"null", b"None"):
        assert not verified(BODY, hmac.digest(secret, BODY, "sha256").hex(), secrets)
    assert not verified(BODY, "", secrets)


@pytest.mark.parametrize(
    "header",
    [
        "",
        PUBLISHED,
        f"sha1={PUBLISHED[:40]}",
        f"SHA256={PUBLISHED}",
        f"sha256={PUBLISHED[:-1]}",
        f"sha256={PUBLISHED}0",
        f"sha256= {PUBLISHED}",
        f"sha256={PUBLISHED}\n",
        "sha256=" + "é" * 64,
        "sha256=" + "0" * 64,
        "sha256=",
        f"sha256={hashlib.sha256(SECRET + BODY).hexdigest()}",
    ],
)
def test_signatures_of_wrong_shape_or_algorithm_do_not_verify(header: str) -> None:
    assert not proven("github", {"X-Hub-Signature-256": header})


def test_gitea_signs_in_bare_hex_and_githubs_header_does_not_count_for_it() -> None:
    assert proven("gitea", {"X-Gitea-Signature": PUBLISHED})
    assert proven("forgejo", {"X-Forgejo-Signature": PUBLISHED})
    assert not proven("gitea", {"X-Hub-Signature-256": f"sha256={PUBLISHED}"})


@given(st.binary(max_size=200), st.binary(min_size=8, max_size=64), st.integers(0, 255), st.data())
def test_any_changed_byte_is_noticed(body: bytes, secret: bytes, flip: int, data: st.DataObject) -> None:
    signature = hmac.digest(secret, body, "sha256").hex()
    assert verified(body, signature, [secret])
    assert not verified(body + b"x", signature, [secret])
    if body and flip:
        at = data.draw(st.integers(0, len(body) - 1))
        changed = body[:at] + bytes([body[at] ^ flip]) + body[at + 1 :]
        assert not verified(changed, signature, [secret])


@given(st.text(max_size=100))
def test_no_header_text_breaks_the_check(text: str) -> None:
    assert not verified(BODY, text, [SECRET])


def standard_headers(key: bytes, body: bytes, *, at: int = 1_700_000_000, id: str = "msg_1") -> dict[str, str]:
    signature = base64.b64encode(hmac.digest(key, f"{id}.{at}.".encode() + body, "sha256")).decode()
    return {"webhook-id": id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}


def test_the_published_vector_of_standard_webhooks_verifies() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    sent = Sent(headers, b'{"test": 2432232314}', "", 1614265330)
    assert standard(sent, [b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    assert standard(sent, [b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    assert not standard(sent, [b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"])


@pytest.mark.parametrize(("off", "right"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_a_clock_may_be_five_minutes_off(off: int, right: bool) -> None:
    headers = standard_headers(SECRET, BODY)
    assert proven("hook", headers, at=1_700_000_000 + off) is right


def test_one_of_several_signatures_is_enough_and_other_versions_do_not_count() -> None:
    headers = standard_headers(SECRET, BODY)
    good = headers["webhook-signature"]
    for listed, right in (
        (f"v1,AAAA {good}", True),
        (f"{good} v1a,AAAA", True),
        (good.replace("v1,", "v1a,"), False),
        (good.replace("v1,", "v2,"), False),
        (good[3:], False),
        ("", False),
        ("v1,", False),
        (" ".join(["v1,AAAA"] * 8 + [good]), False),
    ):
        assert proven("hook", headers | {"webhook-signature": listed}, at=1_700_000_000) is right, listed


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_without_one_of_its_three_headers_a_standard_webhook_proves_nothing(missing: str) -> None:
    headers = standard_headers(SECRET, BODY)
    del headers[missing]
    assert not proven("hook", headers, at=1_700_000_000)


def test_gitlab_by_token_or_by_signature_and_a_token_does_not_help_a_wrong_signature() -> None:
    token = {"X-Gitlab-Token": SECRET.decode()}
    assert proven("gitlab", token)
    assert not proven("gitlab", {"X-Gitlab-Token": ""})
    assert not proven("gitlab", {"X-Gitlab-Token": SECRET.decode() + "x"})
    headers = standard_headers(SECRET, BODY)
    assert proven("gitlab", headers, at=1_700_000_000)
    assert not proven("gitlab", headers | token, body=BODY + b" ", at=1_700_000_000)


def test_bitbuckets_header_is_githubs_old_one_but_not_its_old_algorithm() -> None:
    assert proven("bitbucket", {"X-Hub-Signature": f"sha256={PUBLISHED}"})
    sha1 = hmac.digest(SECRET, BODY, "sha1").hex()
    assert not proven("bitbucket", {"X-Hub-Signature": f"sha1={sha1}"})
    assert not proven("github", {"X-Hub-Signature": f"sha256={PUBLISHED}"})


@pytest.mark.parametrize("provider", ["dockerhub", "harbor", "registry"])
def test_registries_prove_themselves_by_a_header_or_the_address(provider: str) -> None:
    secret = SECRET.decode()
    assert proven(provider, {}, token=secret)
    assert proven(provider, {"Authorization": secret})
    assert proven(provider, {"Authorization": f"Bearer {secret}"})
    assert not proven(provider, {})
    assert not proven(provider, {}, token="x" + secret)
    assert not proven(provider, {"Authorization": "Bearer "}, token="")


@pytest.mark.parametrize("secrets", [[], [b""], [b"short"], [b"whsec_"], [b"whsec_QUJD"]])
def test_no_scheme_takes_a_link_without_a_usable_secret(secrets: list[bytes]) -> None:
    for key in (b"", b"short", b"ABC"):
        sent = Sent(standard_headers(key, BODY), BODY, key.decode(), 1_700_000_000)
        assert not any(provider.proof(sent, secrets) for provider in PROVIDERS.values())
        assert not equal(key.decode(), secrets)
    assert not [key for secret in secrets for key in standard_keys(secret)]


@given(st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=120)), st.text(max_size=40), st.binary(max_size=40))
def test_no_headers_break_any_scheme(headers: dict[str, str], token: str, body: bytes) -> None:
    for provider in PROVIDERS.values():
        assert not provider.proof(Sent(headers, body, token, 1_700_000_000), [SECRET, b"whsec_" + b"QUJD" * 8])
