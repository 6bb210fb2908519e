"""Secrets, proofs and rights: tokens, passwords, encryption at rest and in transit, masking, JWTs, who may do what.

Invariant: what can't be decrypted, verified or found refuses; nothing here ever falls back to a default or an
empty value.
"""

from slipway_security.faults import DecryptionFailed, MasterKeyWrong

__all__ = ["DecryptionFailed", "MasterKeyWrong"]
