"""What goes wrong with secrets."""

from slipway_errors import Fault, Kind


class DecryptionFailed(Fault):
    """A secret can't be decrypted."""

    kind = Kind.CONFLICT
    code = "secret.undecryptable"


class MasterKeyWrong(Fault):
    """The master key can't be used."""

    kind = Kind.UNAVAILABLE
    code = "secret.master_key"
