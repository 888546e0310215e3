"""Stack configuration: reading a stack file, merging the project's defaults and checking types.

Rules and messages are those of the real CLI (pulumi/pkg/workspace/config.go).
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine import yaml
from engine.crypter import Crypter
from engine.declarations import Declaration, conforms, type_name
from engine.errors import EngineError

_STACK_KEYS: Final = frozenset(
    {"config", "encryptionsalt", "secretsprovider", "encryptedkey", "environment"}
)


@dataclass(frozen=True)
class Config:
    """The configuration of one stack.

    Attributes:
        values: `namespace:key` to text; lists and objects are JSON.
        secret_keys: The keys whose values are secret.
    """

    values: Mapping[str, str]
    secret_keys: frozenset[str] = frozenset()

    def of_package(self, package: str) -> dict[str, tuple[str, bool]]:
        """What a provider of the package is configured with: key to value and secrecy.

        Dynamic providers get everything, with namespaces (pulumi/pkg/resource/deploy/target.go).
        """
        if package == "pulumi-python":
            return {k: (v, k in self.secret_keys) for k, v in self.values.items()}
        prefix = f"{package}:"
        return {
            k.removeprefix(prefix): (v, k in self.secret_keys)
            for k, v in self.values.items()
            if k.startswith(prefix)
        }


def read_stack_file(
    path: Path, project: str, environment: Mapping[str, str]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Read the `config:` block of a stack file, decrypting `secure:` values.

    Args:
        path: The file; a missing one is an empty configuration.
        project: Namespace of keys that have none.
        environment: Where PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE is looked up.

    Returns:
        Values by `namespace:key`, and the keys that are secret.

    Raises:
        EngineError: The file is not a stack file, or a secret cannot be decrypted.
    """
    document = (yaml.read(path) if path.exists() else None) or {}
    if not isinstance(document, Mapping):
        raise EngineError(f"could not read {path}: it must be a map with the key 'config'")
    if unknown := sorted(set(document) - _STACK_KEYS):
        raise EngineError(
            f"could not read {path}: unknown key '{unknown[0]}'; settings go under 'config:'"
        )
    for key in ("environment", "secretsprovider", "encryptedkey"):
        if document.get(key):
            raise EngineError(f"{path}: '{key}' is not supported by this engine; use Pulumi itself")
    block = document.get("config") or {}
    if not isinstance(block, Mapping):
        raise EngineError(f"could not read {path}: 'config' must be a map")
    values: dict[str, Any] = {}
    secret_keys: set[str] = set()
    decrypt = _decrypter(path, document.get("encryptionsalt"), environment)
    for key, value in block.items():
        full = str(key) if ":" in str(key) else f"{project}:{key}"
        values[full], secure = _reveal(value, decrypt)
        if secure:
            secret_keys.add(full)
    return values, frozenset(secret_keys)


def _reveal(value: Any, decrypt: Callable[[str], str]) -> tuple[Any, bool]:  # noqa: ANN401
    if isinstance(value, Mapping):
        if set(value) == {"secure"} and isinstance(value["secure"], str):
            return decrypt(value["secure"]), True
        pairs = {str(key): _reveal(item, decrypt) for key, item in value.items()}
        return {key: item for key, (item, _) in pairs.items()}, any(s for _, s in pairs.values())
    if isinstance(value, list):
        items = [_reveal(item, decrypt) for item in value]
        return [item for item, _ in items], any(s for _, s in items)
    return value, False


def _decrypter(
    path: Path, salt: str | None, environment: Mapping[str, str]
) -> Callable[[str], str]:
    crypter: Crypter | None = None

    def decrypt(ciphertext: str) -> str:
        nonlocal crypter
        if crypter is None:
            if not salt:
                raise EngineError(f"{path} holds 'secure:' values but no 'encryptionsalt'")
            crypter = Crypter(passphrase_of(path, environment), salt)
            crypter.check()
        return crypter.decrypt(ciphertext)

    return decrypt


def passphrase_of(what: object, environment: Mapping[str, str]) -> str:
    """The passphrase that a person has set for Pulumi.

    Args:
        what: What needs it, for the message.
        environment: Where PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE is looked up.

    Raises:
        EngineError: It is not set, or its file cannot be read.
    """
    if "PULUMI_CONFIG_PASSPHRASE" in environment:
        return environment["PULUMI_CONFIG_PASSPHRASE"]
    if file := environment.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            raise EngineError(
                f"could not read the passphrase in {file}: {error.strerror}"
            ) from error
    raise EngineError(
        f"{what} holds encrypted values: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or "
        "PULUMI_CONFIG_PASSPHRASE_FILE environment variables"
    )


def resolve(
    stack: str,
    project: str,
    declared: list[Declaration],
    path: Path,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """The configuration of a stack, with the project's defaults and checked.

    Raises:
        EngineError: A declared key is missing or of another type, in the real CLI's words.
    """
    values, secret_keys = read_stack_file(path, project, environment or os.environ)
    missing = []
    for item in declared:
        key = item.key if ":" in item.key else f"{project}:{item.key}"
        if key in values:
            continue
        if item.default is not None:
            values[key] = item.default
        elif key.startswith(f"{project}:"):
            missing.append(item.key)
    if missing:
        noun = "value" if len(missing) == 1 else "values"
        names = [f"'{key}'" for key in missing]
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
        raise _invalid(f"Stack '{stack}' is missing configuration {noun} {listed}")
    for item in declared:
        key = item.key if ":" in item.key else f"{project}:{item.key}"
        if not item.type:
            continue
        where = f"Stack '{stack}' with configuration key '{item.key}' must be"
        if item.secret and key not in secret_keys:
            raise _invalid(f"{where} encrypted as it's secret")
        if not conforms(item.type, item.items, values[key]):
            raise _invalid(f"{where} of type '{type_name(item.type, item.items)}'")
    return Config({key: text(value) for key, value in values.items()}, secret_keys)


def _invalid(message: str) -> EngineError:
    return EngineError(f"validating stack config: {message}")


def text(value: Any) -> str:  # noqa: ANN401
    """A configuration value as programs get it."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool() | Mapping() | list():
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        case _:
            return str(value)
