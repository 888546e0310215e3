"""How this machine reaches package registries: what hosts and pods are given, and no more of it.

On EC2 a host finds PyPI by itself. Here it may be behind a mirror, a proxy or a certificate
authority that only this machine knows.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"

# Of pip and uv only what says where packages come from: not where to install or to keep them.
_PLAIN: Final = re.compile(
    r"PIP_(INDEX_URL|EXTRA_INDEX_URL|NO_INDEX|TRUSTED_HOST|PROXY|(DEFAULT_)?TIMEOUT|RETRIES"
    r"|DISABLE_PIP_VERSION_CHECK)"
    r"|UV_(INDEX.*|DEFAULT_INDEX|EXTRA_INDEX_URL|NO_INDEX|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS"
    r"|HTTP_TIMEOUT)"
)
_FILES: Final = re.compile(
    r"SSL_CERT_FILE|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|PIP_CERT|PIP_CONFIG_FILE|UV_CONFIG_FILE"
)
_FOLDERS: Final = re.compile(r"PIP_FIND_LINKS|UV_FIND_LINKS")
_PROXIES: Final = re.compile(r"(https?|all|no)_proxy", re.IGNORECASE)
# A person's own settings are root's on a host.
_SETTINGS: Final = {
    "/etc/pip.conf": "/etc/pip.conf",
    "/etc/uv/uv.toml": "/etc/uv/uv.toml",
    "~/.pip/pip.conf": "/root/.pip/pip.conf",
    "~/.config/pip/pip.conf": "/root/.config/pip/pip.conf",
    "~/.config/uv/uv.toml": "/root/.config/uv/uv.toml",
}


@dataclass(frozen=True)
class Registries:
    """What hosts are given to reach package registries as this machine does.

    Attributes:
        variables: For every process of a host.
        files: Files and folders of this machine, to be read where the key says.
    """

    variables: dict[str, str]
    files: dict[str, Path]

    @classmethod
    def here(
        cls,
        environ: Mapping[str, str] = os.environ,
        root: Path = Path("/"),
        *,
        direct: Iterable[str] = (),
    ) -> Registries:
        """Return those of this machine.

        Args:
            environ: Variables of a process of the person.
            root: Folder that stands for the machine, for tests.
            direct: Addresses that no proxy knows.
        """
        variables = {}
        files = {}
        home = environ.get("HOME", "/root")
        named = {inside: path.replace("~", home, 1) for path, inside in _SETTINGS.items()}
        for inside, path in {AUTHORITIES: AUTHORITIES, **named}.items():
            if (root / path.lstrip("/")).is_file():
                files[inside] = (root / path.lstrip("/")).resolve()
        for name, value in sorted(environ.items()):
            if not value or not re.fullmatch(r"[^\n]*", value):
                continue
            there = dict(_named(value, root))
            if _FILES.fullmatch(name):
                wanted = bool(there)
            elif _FOLDERS.fullmatch(name):
                wanted = bool(there) or "://" in value
            else:
                wanted = bool(_PLAIN.fullmatch(name) or _PROXIES.fullmatch(name))
                there = {}
            if wanted:
                variables[name] = value
                files.update(there)
        return cls(without_proxy(variables, direct), files)

    def mounts(self) -> list[str]:
        """Return arguments of `docker run` that show a container the files."""
        return [
            f"--mount=type=bind,source={path},target={inside},readonly"
            for inside, path in sorted(self.files.items())
        ]

    def drop_in(self) -> str:
        """Return the text of a file of systemd's that gives every unit the variables."""
        lines = ["[Manager]", *(f"DefaultEnvironment={_quoted(*each)}" for each in self._sorted())]
        return "\n".join(lines) + "\n"

    def _sorted(self) -> list[tuple[str, str]]:
        return sorted(self.variables.items())


def _named(value: str, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the absolute paths in a value that are there."""
    for word in re.split(r"[\s,]+", value):
        path = root / word.lstrip("/")
        if word.startswith("/") and path.exists():
            yield word, path.resolve()


def without_proxy(variables: dict[str, str], direct: Iterable[str]) -> dict[str, str]:
    """Return the variables with addresses that no proxy knows left out of it."""
    proxies = [name for name in variables if _PROXIES.fullmatch(name)]
    if not proxies:
        return variables
    own = ",".join(["localhost", "127.0.0.1", *direct])
    said = variables.get("no_proxy") or variables.get("NO_PROXY")
    value = f"{said},{own}" if said else own
    return {**variables, "no_proxy": value, "NO_PROXY": value}


def _quoted(name: str, value: str) -> str:
    """Return an assignment as systemd reads it in a list of them."""
    text = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{name}={text}"'
