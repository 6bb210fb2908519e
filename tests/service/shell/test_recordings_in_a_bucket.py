"""Recordings go to an object store once their session has ended, and come from there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from slipway_errors import Unavailable
from slipway_shell.settings import Settings
from slipway_shell.store import Bucket, Directory, RecordingGone, store_of

NAME = "018f0000-0000-7000-8000-000000000001/2026-01-02/018f0000-0000-7000-8000-000000000002.cast"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "eu-west-3"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def settings(directory: Path, **more: Any) -> Settings:
    return Settings(nats_url="", postgres_url="", recordings_dir=str(directory), **more)


def written(directory: Path) -> None:
    path = directory / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"version":2}\n')


def made(endpoint: str) -> Any:
    client = boto3.client("s3", endpoint_url=endpoint)
    requests.post(f"{endpoint}/moto-api/reset", timeout=10)
    client.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    return client


async def test_a_recording_moves_to_the_bucket_and_is_read_from_there(tmp_path: Path, endpoint: str) -> None:
    client = made(endpoint)
    store = store_of(settings(tmp_path, recordings_bucket="kept", recordings_endpoint_url=endpoint))
    assert isinstance(store, Bucket)
    written(tmp_path)
    assert await store.read(NAME) == b'{"version":2}\n'
    await store.keep(NAME)
    assert not (tmp_path / NAME).exists()
    assert client.get_object(Bucket="kept", Key=NAME)["Body"].read() == b'{"version":2}\n'
    assert await store.read(NAME) == b'{"version":2}\n'
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with pytest.raises(RecordingGone):
        await store.read(NAME.replace("0002.cast", "0003.cast"))


async def test_what_a_dead_gateway_left_behind_is_moved_by_the_next_one(tmp_path: Path, endpoint: str) -> None:
    client = made(endpoint)
    written(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "other.cast").write_text("not ours")
    store = store_of(settings(tmp_path, recordings_bucket="kept", recordings_endpoint_url=endpoint))
    await store.keep_left_behind()
    assert [found["Key"] for found in client.list_objects_v2(Bucket="kept")["Contents"]] == [NAME]


async def test_a_store_that_is_away_says_so_and_nothing_is_lost(tmp_path: Path, endpoint: str) -> None:
    written(tmp_path)
    store = store_of(settings(tmp_path, recordings_bucket="never-made", recordings_endpoint_url=endpoint))
    with pytest.raises(Unavailable):
        await store.keep(NAME)
    assert (tmp_path / NAME).exists()


async def test_without_a_bucket_the_directory_is_the_store(tmp_path: Path) -> None:
    store = store_of(settings(tmp_path))
    assert type(store) is Directory
    written(tmp_path)
    await store.keep(NAME)
    assert await store.read(NAME) == b'{"version":2}\n'
