"""Who may connect: RSA keys of hosts, as adb sends and signs with them."""

import base64
import binascii
import secrets
import struct
from typing import Literal

TOKEN_BYTES = 20
_MODULUS_BYTES = 256
_WORDS = 64
# A token is signed as if it were a SHA-1 digest: PKCS #1 v1.5 with this prefix.
_DIGEST_PREFIX = bytes.fromhex("3021300906052b0e03021a05000414")

Consent = Literal["accept", "refuse"]
"""What the person says when the device asks whether a computer may debug it."""


class Keyring:
    """The keys that the device trusts. consent: what the person answers about a new one."""

    def __init__(self, consent: Consent) -> None:
        self.consent = consent
        self._trusted: set[tuple[int, int]] = set()

    def new_token(self) -> bytes:
        return secrets.token_bytes(TOKEN_BYTES)

    def has_signed(self, token: bytes, signature: bytes) -> bool:
        """Whether a trusted key has signed the token."""
        number = int.from_bytes(signature)
        return any(pow(number, exponent, modulus) == _padded(token) for modulus, exponent in self._trusted)

    def offer(self, public_key: bytes) -> bool:
        """A host shows its key; whether it is trusted from now on."""
        key = read_public_key(public_key)
        if key is not None and self.consent == "accept":
            self._trusted.add(key)
        return key in self._trusted


def read_public_key(text: bytes) -> tuple[int, int] | None:
    """Modulus and exponent of `BASE64 name@host\\0`, adb's own layout; None if it is not one."""
    try:
        blob = base64.b64decode(text.split()[0].rstrip(b"\0"), validate=True)
        words, _, modulus, _, exponent = struct.unpack(f"<II{_MODULUS_BYTES}s{_MODULUS_BYTES}sI", blob)
    except (binascii.Error, struct.error, IndexError):
        return None
    number = int.from_bytes(modulus, "little")
    return (number, exponent) if words == _WORDS and number > 1 else None


def _padded(token: bytes) -> int:
    digest = _DIGEST_PREFIX + token
    filling = b"\xff" * (_MODULUS_BYTES - len(digest) - 3)
    return int.from_bytes(b"\0\1" + filling + b"\0" + digest)
