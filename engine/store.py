"""The folder of one stack's state on disk."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import files
from engine.config import passphrase_of
from engine.crypter import Crypter, read_or_create_passphrase
from engine.errors import EngineError
from engine.integrity import verify
from engine.serialize import dump, load
from engine.state import Deployment
from engine.values import Secret


class Store:
    """`stack.json`, the passphrase, the lock and the logs of a stack.

    Attributes:
        directory: The folder.
        lock: The lock file.
        logs: The folder of log files.
    """

    def __init__(self, directory: Path, stack: str) -> None:
        """Name the folder; nothing is made yet."""
        self.directory = directory
        self.lock = directory / "lock"
        self.logs = directory / "logs"
        self._stack = stack
        self._file = directory / "stack.json"
        self._passphrase = directory / "passphrase"
        self._crypter: Crypter | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a state."""
        return self._file.is_file()

    @property
    def has_logs(self) -> bool:
        """Whether anything was logged."""
        return self.logs.is_dir() and any(log.stat().st_size for log in self.logs.iterdir())

    def crypter(self) -> Crypter:
        """What encrypts this stack's secrets; made once, with a new passphrase for a new stack.

        Raises:
            EngineError: The passphrase of a state with secrets is gone, or the disk refuses.
        """
        if self._crypter is None:
            salt = self._salt()
            if salt and not self._passphrase.exists():
                raise EngineError(
                    f"{self._passphrase} is missing: without it the secrets of the state cannot be "
                    "read, so put it back"
                )
            with files.guarded(self.directory):
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                passphrase = read_or_create_passphrase(self._passphrase)
            self._crypter = Crypter(passphrase, salt)
        return self._crypter

    def forget(self) -> None:
        """Forget the passphrase with the folder that held it: the next state gets another one."""
        self._crypter = None

    def recorded_types(self) -> set[str]:
        """The types of all recorded resources; deriving the key for secrets begins meanwhile."""
        data = self._read()
        if data is None:
            return set()
        if _salt_in(data):
            self.crypter()
        return {item.get("type", "") for item in data["deployment"].get("resources") or []}

    def load(self) -> Deployment:
        """The state; an empty one if there is none.

        Raises:
            EngineError: The file is damaged.
        """
        data = self._read()
        return Deployment() if data is None else load(data, self.crypter)

    def save(self, deployment: Deployment) -> None:
        """Write the state, so that a crash leaves either the old or the new one.

        Raises:
            EngineError: The disk is full or read-only.
        """
        with files.guarded(self.directory):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            data = dump(deployment, self.crypter)
            files.replace(self._file, json.dumps(data, indent=1, allow_nan=False))

    def export(self, *, show_secrets: bool) -> dict[str, Any]:
        """The state as JSON data, with secrets encrypted or in clear."""
        return dump(self.load(), self.crypter, show_secrets=show_secrets)

    def import_(self, data: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        """Check a state and put it in the place of this one.

        Raises:
            EngineError: It is not a state that Pulumi would take.
        """
        deployment = load(data, lambda: self._foreign(data, environment))
        verify(deployment.resources, self._stack)
        for state in [*deployment.resources, *(op.resource for op in deployment.pending)]:
            _forget_ciphertexts(state.inputs)
            _forget_ciphertexts(state.outputs)
        self.save(deployment)

    def _foreign(self, data: Mapping[str, Any], environment: Mapping[str, str]) -> Crypter:
        """What decrypts an imported state: our own key if its salt is ours, else the caller's."""
        salt = _salt_in(data)
        if salt is None:
            raise EngineError("the state holds encrypted secrets but not the salt to decrypt them")
        if salt == self._salt() and self._passphrase.exists():
            return self.crypter()
        crypter = Crypter(passphrase_of("the state", environment), salt)
        crypter.check()
        return crypter

    def _salt(self) -> str | None:
        data = self._read()
        return None if data is None else _salt_in(data)

    def _read(self) -> dict[str, Any] | None:
        try:
            data: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise EngineError(f"the state {self._file} is damaged: {error}") from error
        return data


def _salt_in(data: Mapping[str, Any]) -> str | None:
    providers = data.get("deployment", {}).get("secrets_providers") or {}
    if providers and providers.get("type") != "passphrase":
        raise EngineError(f"the secrets provider {providers.get('type')!r} is not supported")
    salt = (providers.get("state") or {}).get("salt")
    return str(salt) if salt else None


def _forget_ciphertexts(value: Any) -> None:  # noqa: ANN401
    """Secrets of another passphrase are encrypted anew."""
    match value:
        case Secret():
            value.ciphertext = None
            _forget_ciphertexts(value.element)
        case dict():
            for item in value.values():
                _forget_ciphertexts(item)
        case list():
            for item in value:
                _forget_ciphertexts(item)
