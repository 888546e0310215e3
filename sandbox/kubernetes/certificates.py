"""Who is who in a Kubernetes: one authority, a certificate for each program, and kubeconfigs."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.kubernetes.places import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

# A Kubernetes that runs longer is started anew.
LIFETIME: Final = timedelta(days=30)
# Clocks that went back.
_EARLIER: Final = timedelta(hours=1)


class Authority:
    """What signs for one Kubernetes; its own key is kept nowhere."""

    def __init__(self, folder: Path) -> None:
        """Make it, and write its certificate.

        Args:
            folder: For all keys and certificates.
        """
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dask-rehearsal")])
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "authority.pem"
        self._text = certificate.public_bytes(serialization.Encoding.PEM)
        write(self.file, self._text)

    def issue(
        self,
        file: str,
        name: str,
        *,
        group: str | None = None,
        addresses: Collection[IPv4Address | str] = (),
    ) -> tuple[Path, Path]:
        """Write a certificate and its key, and return both files.

        Args:
            file: Of the files.
            name: Of the user that it makes its holder.
            group: Of that user.
            addresses: IP addresses and names that its holder serves at.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if group:
            subject.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        usages = [
            ExtendedKeyUsageOID.CLIENT_AUTH,
            *[ExtendedKeyUsageOID.SERVER_AUTH] * bool(addresses),
        ]
        builder = (
            _builder(x509.Name(subject), self._name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if addresses:
            names = [
                x509.IPAddress(each) if isinstance(each, IPv4Address) else x509.DNSName(each)
                for each in addresses
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        files = (self._folder / f"{file}.pem", self._folder / f"{file}-key.pem")
        write(files[0], certificate.public_bytes(serialization.Encoding.PEM))
        write(files[1], private_text(key))
        return files

    def kubeconfig(self, path: Path, server: str, name: str, *, group: str | None = None) -> Path:
        """Write the kubeconfig of a user and return its path; arguments as of `issue`."""
        files = self.issue(f"user-{path.name}", name, group=group)
        data = [base64.b64encode(file.read_bytes()).decode() for file in files]
        authority = base64.b64encode(self._text).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "clusters": [
                {
                    "name": CONTEXT,
                    "cluster": {"server": server, "certificate-authority-data": authority},
                }
            ],
            "users": [
                {
                    "name": CONTEXT,
                    "user": {"client-certificate-data": data[0], "client-key-data": data[1]},
                }
            ],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        }
        # JSON is YAML as well.
        write(path, json.dumps(config, indent=1).encode())
        return path


def signing_keys(folder: Path) -> tuple[Path, Path]:
    """Write a key that tokens are signed with, and its public half; return both files."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    files = (folder / "tokens-key.pem", folder / "tokens.pem")
    write(files[0], private_text(key))
    write(files[1], public)
    return files


def private_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def write(path: Path, data: bytes) -> None:
    """Write a file for nobody else to read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign,
        crl_sign=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
