"""The key that signs logins: made once for all replicas, kept wrapped, known to edges by its public half."""

from slipway_core.app import PLATFORM, Work, new_data_key
from slipway_core.settings import Settings
from slipway_security import MasterKeyWrong, jwt
from slipway_security.keyring import KeyRing, LocalKey, Wrapper
from slipway_security.kms import KmsKey


def key_ring(settings: Settings) -> KeyRing:
    """The master keys as configured: AWS KMS before the key file; MasterKeyWrong when there is neither."""
    wrappers: list[Wrapper] = []
    if settings.kms_key_id:
        wrappers.append(KmsKey(settings.kms_key_id, settings.kms_region, settings.kms_endpoint_url))
    if settings.master_key_file:
        wrappers.append(LocalKey.load(settings.master_key_file))
    if not wrappers:
        raise MasterKeyWrong("Set SLIPWAY_MASTER_KEY_FILE to a key file, or SLIPWAY_KMS_KEY_ID to a key in AWS KMS.")
    return KeyRing(*wrappers)


async def signing_key(work: Work, master_key: KeyRing) -> jwt.SigningKey:
    """The present key, made when there is none. A master key that isn't the right one is found out here."""
    stored = await work.keys.signing(lock=True)
    if stored is not None:
        opened = await master_key.open(stored.wrapped, PLATFORM)
        private = opened.decrypt(stored.private_ciphertext, f"signing_keys/{stored.kid}")
        return jwt.SigningKey(stored.kid, private.decode(), stored.public_pem)
    key = jwt.new_signing_key()
    data_key = await work.keys.current(None) or await new_data_key(work, master_key, None)
    opened = await master_key.open(data_key.wrapped, PLATFORM)
    ciphertext = opened.encrypt(key.private_pem.encode(), f"signing_keys/{key.kid}")
    await work.keys.add_signing(key.kid, data_key.id, ciphertext, key.public_pem)
    await work.copies.add("access", [f"key.{key.kid}"])
    return key
