"""Who may publish and read what, as it follows from the contracts."""

import importlib
import pkgutil

import pytest

import slipway_contracts
from slipway_bus.accounts import ClusterCredentials, new_cluster_credentials, new_passwords, render
from slipway_bus.declaring import BUCKETS
from slipway_bus.duties import SERVICES, all_topics, service_permissions
from slipway_contracts.base import Bucket, Stream
from slipway_contracts.streams import STREAMS
from slipway_errors import Invalid

OTHER_OWNERS = {"agent", "engine", "bus", "edges"}


def test_every_topic_has_an_owner_that_logs_in() -> None:
    assert {topic.owner for topic in all_topics()} <= set(SERVICES) | OTHER_OWNERS


def test_a_topic_is_published_by_its_owner_alone() -> None:
    for topic in all_topics():
        if topic.owner in OTHER_OWNERS:
            continue
        publishers = {name for name in SERVICES if topic.filter() in service_permissions(name)["publish"]["allow"]}
        assert publishers == {topic.owner}


def test_a_bucket_is_written_by_its_owner_alone() -> None:
    for bucket in BUCKETS:
        subject = f"$KV.{bucket.name}.>"
        writers = {name for name in SERVICES if subject in service_permissions(name)["publish"]["allow"]}
        assert writers == {bucket.owner}


def test_nobody_but_core_may_use_more_of_jetstream_than_named_streams() -> None:
    for name in SERVICES:
        if name == "core":
            continue
        for subject in service_permissions(name)["publish"]["allow"]:
            assert subject not in (">", "$JS.>", "$JS.API.>", "$JS.ACK.>", "_INBOX.>")
            assert not subject.startswith(("$JS.API.STREAM.CREATE", "$JS.API.STREAM.DELETE", "$SYS"))


def test_everything_declared_is_made() -> None:
    declared_streams, declared_buckets = set(), set()
    for module in pkgutil.iter_modules(slipway_contracts.__path__, "slipway_contracts."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Stream):
                declared_streams.add(value.name)
            if isinstance(value, Bucket):
                declared_buckets.add(value.name)
    assert declared_streams == {stream.name for stream in STREAMS}
    assert declared_buckets == {bucket.name for bucket in BUCKETS}


@pytest.mark.parametrize("id", ["", "a.b", "*", ">", "a b", "a\nb", 'a"b', "x" * 200])
def test_an_id_that_is_no_token_gets_no_account(id: str) -> None:
    with pytest.raises(Invalid):
        new_cluster_credentials(id)


def test_passwords_do_not_show_in_what_is_logged() -> None:
    credentials = new_cluster_credentials("one")
    assert credentials.engine_password not in repr(credentials)
    assert credentials.agent_password not in repr(credentials)
    assert isinstance(credentials, ClusterCredentials)


def test_the_accounts_are_rendered_for_every_user() -> None:
    passwords = new_passwords()
    text = render(passwords, {"one": new_cluster_credentials("one")})
    assert all(password in text for password in passwords.values())
    assert text.count("CLUSTER-one") >= 10
