"""The passphrase encryption of stack files, as the CLI does it (pkg/secrets/passphrase)."""

from __future__ import annotations

import base64
import functools
import hashlib
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PASSPHRASE = ""
_BYTES = b"scenario"


@functools.cache
def _key() -> bytes:
    return hashlib.pbkdf2_hmac("sha256", PASSPHRASE.encode(), _BYTES, 1_000_000, 32)


def seal(text: str) -> str:
    """Encrypt a value as it stands behind `secure:`."""
    nonce = os.urandom(12)
    sealed = AESGCM(_key()).encrypt(nonce, text.encode(), None)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"


# The line `encryptionsalt` of a stack file: the salt, and a known word to check a passphrase with.
# It is written out, since deriving the key takes half a second that most tests do not need.
SALT = "v1:c2NlbmFyaW8=:v1:3S8ryCMNQrqOIJ2t:P5bt4njMjeGLSFra/t3BBxAfKh6buQ=="
