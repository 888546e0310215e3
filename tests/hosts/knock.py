"""How a Dask server takes to a caller: `python knock.py JSON`, in a host of the cluster.

The JSON has `targets` (lists of an address and a port) and `callers`: by a name for each, `ca`,
`certificate` and `key` as PEM texts, and `most`, the highest version of TLS that it speaks; or null
for one that speaks plain TCP. Prints by target what each caller met, and by caller what a client of
Dask met at the first target.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Security

SECONDS = 10


class Caller:
    """Somebody with a certificate, or without."""

    def __init__(self, given: dict[str, str] | None, folder: Path) -> None:
        self._given = given
        self._folder = folder
        for name in ("ca", "certificate", "key"):
            if text := (given or {}).get(name):
                self._file(name).write_text(text)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.pem"

    def knock(self, address: str, port: int) -> str:
        """Return what a bare socket meets: `answer`, `silence`, or the alert of TLS."""
        with socket.create_connection((address, port), SECONDS) as plain:
            try:
                if self._given is None:
                    plain.sendall(b"\0" * 64)
                    # An alert of TLS is no answer to whoever does not speak it.
                    return "silence" if plain.recv(1) in {b"", b"\x15"} else "answer"
                with self._context(self._given).wrap_socket(plain) as secured:
                    # A Dask server speaks first, to whom it lets in.
                    return "answer" if secured.recv(1) else "silence"
            except ssl.SSLError as error:
                return str(error.reason)
            except OSError:
                return "silence"

    def _context(self, given: dict[str, str]) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._file("ca")))
        context.check_hostname = False
        # So that it is the server who refuses.
        context.verify_mode = ssl.CERT_NONE
        if "certificate" in given:
            context.load_cert_chain(self._file("certificate"), self._file("key"))
        if "most" in given:
            context.maximum_version = ssl.TLSVersion[given["most"]]
        return context

    def compute(self, address: str, port: int) -> Any:  # noqa: ANN401
        """Return a sum that a cluster has computed for it, or `refused`."""
        if self._given is None:
            security, scheme = Security(require_encryption=False), "tcp"
        else:
            security, scheme = Security(require_encryption=True, **self._security()), "tls"
        try:
            with Client(f"{scheme}://{address}:{port}", security=security, timeout=15) as client:
                return client.submit(sum, (1, 2), pure=False).result(60)
        except (OSError, TypeError):
            # Dask itself does not speak TLS without a certificate: a type error.
            return "refused"

    def _security(self) -> dict[str, str]:
        files = {"tls_ca_file": "ca", "tls_client_cert": "certificate", "tls_client_key": "key"}
        return {k: str(self._file(name)) for k, name in files.items() if self._file(name).exists()}


def main() -> None:
    """Let every caller try every target."""
    asked = json.loads(sys.argv[1])
    # Of a host: else it would itself refuse plain TCP, and use the certificates of its role.
    tls = dict.fromkeys(("ca-file", "client.cert", "client.key"))
    dask.config.set({f"distributed.comm.tls.{key}": value for key, value in tls.items()})
    dask.config.set({"distributed.comm.require-encryption": False})
    met: dict[str, dict[str, Any]] = {}
    computed: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as top:
        callers: dict[str, Caller] = {}
        for number, (name, given) in enumerate(asked["callers"].items()):
            folder = Path(top, str(number))
            folder.mkdir()
            callers[name] = Caller(given, folder)
        for address, port in asked["targets"]:
            met[str(port)] = {name: each.knock(address, port) for name, each in callers.items()}
        if asked["compute"]:
            computed = {name: each.compute(*asked["targets"][0]) for name, each in callers.items()}
    print(json.dumps([met, computed]))  # noqa: T201


if __name__ == "__main__":
    main()
