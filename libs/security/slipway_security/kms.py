"""AWS KMS as the master key: it makes and opens data keys, bound to their owner by the encryption context.

boto3 is imported when KMS is used and not before; its calls wait in threads, each with a limit.
"""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

from slipway_errors import Unavailable
from slipway_security.faults import DecryptionFailed, MasterKeyWrong

FORMAT = b"\x03"
KEY_MARK_BYTES = 8
CONNECT_SECONDS = 2
READ_SECONDS = 4
TRIES = 2
NOT_OPENED = {"InvalidCiphertextException", "IncorrectKeyException"}
WRONG_KEY = {
    "AccessDeniedException",
    "DisabledException",
    "InvalidKeyUsageException",
    "KMSInvalidStateException",
    "NotFoundException",
    "UnrecognizedClientException",
    "ValidationException",
}


class KmsAway(Unavailable):
    """AWS KMS does not answer."""

    code = "secret.kms_unavailable"


class KmsKey:
    """A symmetric key in AWS KMS. Credentials come as boto3 finds them (role, environment, profile)."""

    def __init__(self, key_id: str, region: str = "", endpoint_url: str = "") -> None:
        self._key_id = key_id
        self._mark = FORMAT + hashlib.sha256(key_id.encode()).digest()[:KEY_MARK_BYTES]
        self._client = _client(region, endpoint_url)

    async def new(self, owner: str) -> tuple[bytes, bytes]:
        answer = await self._ask(
            self._client.generate_data_key, KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=_context(owner)
        )
        return answer["Plaintext"], self._mark + answer["CiphertextBlob"]

    async def wrap(self, plain: bytes, owner: str) -> bytes:
        answer = await self._ask(
            self._client.encrypt, KeyId=self._key_id, Plaintext=plain, EncryptionContext=_context(owner)
        )
        return self._mark + bytes(answer["CiphertextBlob"])

    async def unwrap(self, wrapped: bytes, owner: str) -> bytes:
        # KMS knows from the text which key it was, so that keys before this one still open.
        answer = await self._ask(
            self._client.decrypt, CiphertextBlob=wrapped[len(self._mark) :], EncryptionContext=_context(owner)
        )
        return bytes(answer["Plaintext"])

    def opens(self, wrapped: bytes) -> bool:
        return wrapped.startswith(FORMAT)

    async def is_present(self, wrapped: bytes, owner: str) -> bool:
        return wrapped.startswith(self._mark)

    async def _ask(self, call: Callable[..., Any], **given: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = await asyncio.to_thread(call, **given)
        except ClientError as error:
            raise _fault(str(error.response.get("Error", {}).get("Code", ""))) from error
        except BotoCoreError as error:
            reason = type(error).__name__
            raise KmsAway(
                f"AWS KMS can't be reached ({reason}): secrets that are not in use already have to wait.",
                retry_after_seconds=5.0,
            ) from error
        return answer


def _fault(code: str) -> Exception:
    if code in NOT_OPENED:
        return DecryptionFailed("A stored data key can't be opened by AWS KMS: it is another owner's, or was changed.")
    if code in WRONG_KEY:
        return MasterKeyWrong(f"AWS KMS refuses the use of the master key ({code}): check the key and who may use it.")
    return KmsAway(f"AWS KMS does not do it now ({code}): it will be tried again.", retry_after_seconds=5.0)


def _client(region: str, endpoint_url: str) -> Any:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    limits = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": TRIES, "mode": "standard"},
    )
    try:
        return boto3.client("kms", region_name=region or None, endpoint_url=endpoint_url or None, config=limits)
    except (BotoCoreError, ValueError) as error:
        raise MasterKeyWrong(f"AWS KMS can't be used: {error}") from error


def _context(owner: str) -> dict[str, str]:
    return {"slipway:purpose": "data key", "slipway:owner": owner}
