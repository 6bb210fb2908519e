"""The key that signs logins: made once for all replicas, kept wrapped, known to edges by its public half."""

from slipway_core.app import Work
from slipway_errors import Unavailable
from slipway_security import jwt
from slipway_security.envelope import MasterKey


async def signing_key(work: Work, master_key: MasterKey) -> jwt.SigningKey:
    """The present key, made when there is none. A master key that isn't the right one is found out here."""
    stored = await work.keys.signing(lock=True)
    if stored is not None:
        private = master_key.decrypt(stored.wrapped, stored.private_ciphertext, f"signing_keys/{stored.kid}")
        return jwt.SigningKey(stored.kid, private.decode(), stored.public_pem)
    key = jwt.new_signing_key()
    data_key = await work.keys.current(None, master_key.new_data_key())
    if data_key is None:
        raise Unavailable("There is no data key of the platform.")
    ciphertext = master_key.encrypt(data_key.wrapped, key.private_pem.encode(), f"signing_keys/{key.kid}")
    await work.keys.add_signing(key.kid, data_key.id, ciphertext, key.public_pem)
    await work.copies.add("access", [f"key.{key.kid}"])
    return key
