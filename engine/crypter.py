"""Encryption of secrets as Pulumi's passphrase provider does it.

A ciphertext reads `v1:NONCE:DATA`, both base64, of AES-256-GCM with the tag at the end; the key is
PBKDF2-SHA256 of the passphrase with 1,000,000 rounds and a salt of 8 bytes. The salt line
`v1:SALT:CIPHERTEXT` also holds the word `pulumi`, encrypted, to tell a wrong passphrase
(pulumi/sdk/go/common/resource/config/crypt.go, pulumi/pkg/secrets/passphrase/manager.go).
"""

import base64
import hashlib
import os
import secrets
import threading
from pathlib import Path
from typing import Final

from engine import files
from engine.errors import EngineError

_ROUNDS: Final = 1_000_000
_KEY_BYTES: Final = 32
_SALT_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_CHECK_WORD: Final = "pulumi"


class Crypter:
    """Encrypts and decrypts texts with one passphrase and salt.

    Deriving the key takes about 0.3 s; it starts at once on a thread of its own, and the first use
    waits for it.
    """

    def __init__(self, passphrase: str, salt_line: str | None = None) -> None:
        """Take a passphrase.

        Args:
            passphrase: The passphrase.
            salt_line: What `salt_line` returned before; None draws a new salt.
        """
        self._given = salt_line
        self._salt = _salt_of(salt_line) if salt_line else secrets.token_bytes(_SALT_BYTES)
        self._key = b""
        self._line = ""
        self._thread = threading.Thread(target=self._derive, args=(passphrase,), daemon=True)
        self._thread.start()

    def _derive(self, passphrase: str) -> None:
        self._key = hashlib.pbkdf2_hmac(
            "sha256", passphrase.encode(), self._salt, _ROUNDS, dklen=_KEY_BYTES
        )

    def check(self) -> None:
        """Refuse a wrong passphrase.

        Raises:
            EngineError: The passphrase is not the one the salt line was made with.
        """
        if self._given and self.decrypt(self._given.split(":", 2)[2]) != _CHECK_WORD:
            raise EngineError("incorrect passphrase")

    @property
    def salt_line(self) -> str:
        """The line that a state file keeps beside the ciphertexts."""
        if not self._line:
            salt = base64.b64encode(self._salt).decode()
            self._line = self._given or f"v1:{salt}:{self.encrypt(_CHECK_WORD)}"
        return self._line

    def encrypt(self, text: str) -> str:
        """Encrypt a text with a new nonce."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - slow import

        self._thread.join()
        nonce = os.urandom(_NONCE_BYTES)
        data = AESGCM(self._key).encrypt(nonce, text.encode(), None)
        return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(data).decode()}"

    def decrypt(self, ciphertext: str) -> str:
        """Decrypt what `encrypt` returned.

        Raises:
            EngineError: The passphrase is wrong or the ciphertext was changed.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        self._thread.join()
        try:
            version, nonce, data = ciphertext.split(":")
            if version != "v1":
                raise EngineError(f"a secret has the unknown format {version!r}")
            plain = AESGCM(self._key).decrypt(base64.b64decode(nonce), base64.b64decode(data), None)
        except (InvalidTag, ValueError) as error:
            raise EngineError("incorrect passphrase, or a secret was damaged") from error
        return plain.decode()


def _salt_of(salt_line: str) -> bytes:
    try:
        version, salt, _ = salt_line.split(":", 2)
        decoded = base64.b64decode(salt)
    except ValueError as error:
        raise EngineError("the salt of the secrets cannot be read") from error
    if version != "v1":
        raise EngineError(f"the salt of the secrets has the unknown format {version!r}")
    return decoded


def read_or_create_passphrase(path: Path) -> str:
    """The passphrase kept in a file that only its owner may read; a new file gets a random one."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        passphrase = secrets.token_urlsafe(32)
        # A crash half-way must not leave an empty passphrase behind.
        files.replace(path, f"{passphrase}\n")
        return passphrase
