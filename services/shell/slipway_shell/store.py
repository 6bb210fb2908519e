"""Where recordings are kept: a directory, or a bucket of an object store that speaks S3.

A recording is written to the local directory while its session runs, and moved to the bucket when it has ended; what a
gateway left there that died is moved by its next start.
"""

import asyncio
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway_errors import NotFound, Unavailable

if TYPE_CHECKING:
    from slipway_shell.settings import Settings

FOLDER = re.compile(r"[0-9a-f-]{36}/\d{4}-\d\d-\d\d/[0-9a-f-]{36}(\.\d+)?\.cast(\.sealed)?")


class RecordingGone(NotFound):
    """There is no such recording (any more)."""

    code = "session.recording_gone"


class Directory:
    """The local directory is the store."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def keep(self, name: str) -> None:
        """What was written to `root / name` is complete."""

    async def read(self, name: str) -> bytes:
        """The recording as it was written; RecordingGone."""
        try:
            return await asyncio.to_thread((self.root / name).read_bytes)
        except FileNotFoundError:
            raise RecordingGone from None

    async def keep_left_behind(self) -> None:
        """Move what an earlier process left here."""


class Bucket(Directory):
    """An object store; the directory holds what is being written."""

    def __init__(self, root: Path, settings: "Settings") -> None:
        super().__init__(root)
        self._bucket = settings.recordings_bucket
        self._endpoint = settings.recordings_endpoint_url or None
        self._made: Any = None

    @property
    def _client(self) -> Any:
        """Made when first used: boto3 costs 20 MB. Its credentials come as boto3 finds them (environment, role)."""
        if self._made is None:
            import boto3

            self._made = boto3.client("s3", endpoint_url=self._endpoint)
        return self._made

    async def keep(self, name: str) -> None:
        """Upload, then remove the local file; should the store be away, the next start tries again."""
        path = self.root / name
        if path.is_file():
            await self._call(lambda: self._client.upload_file(str(path), self._bucket, name))
            path.unlink(missing_ok=True)

    async def read(self, name: str) -> bytes:
        if (self.root / name).is_file():
            return await super().read(name)
        content = io.BytesIO()
        await self._call(lambda: self._client.download_fileobj(self._bucket, name, content))
        return content.getvalue()

    async def keep_left_behind(self) -> None:
        for path in sorted(self.root.glob("*/*/*.cast*")):
            name = str(path.relative_to(self.root))
            if FOLDER.fullmatch(name):
                await self.keep(name)

    async def _call(self, call: Any) -> None:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            await asyncio.to_thread(call)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
                raise RecordingGone from error
            raise Unavailable(f"The store of recordings refused: {error}.") from error
        except (BotoCoreError, Boto3Error) as error:
            raise Unavailable(f"The store of recordings can't be reached: {error}.") from error


def store_of(settings: "Settings") -> Directory:
    """The store that the settings name."""
    root = Path(settings.recordings_dir)
    return Bucket(root, settings) if settings.recordings_bucket else Directory(root)
