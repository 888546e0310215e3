"""The cluster's own certificate authority and one certificate per role, as Pulumi resources.

Dask checks that a peer's certificate comes from the cluster's authority, and nothing else (no
host name, no role: `distributed.security`), so the authority is the border of the cluster and
is never shared. Separate keys per role are for rotation, not for rank.

The providers live in this importable module on purpose: Pulumi stores them in the state by
reference, and old states must still find them. Do not rename the classes or the module.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import pulumi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pulumi import dynamic

Role = Literal["scheduler", "worker", "client"]

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 365
RENEW_DAYS = 30  # an `up` within this many days of the end makes a new certificate

# Scheduler and workers both listen and dial: with one of the two usages missing, Dask's
# handshakes fail without a clear error. A client only dials.
USAGES: dict[Role, list[x509.ObjectIdentifier]] = {
    "scheduler": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    "worker": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    "client": [ExtendedKeyUsageOID.CLIENT_AUTH],
}


class CertificateAuthority(dynamic.Resource, module="certificates", name="Authority"):
    """A private authority (ECDSA P-256, ten years). Its key never leaves the state, as a secret."""

    certificate: pulumi.Output[str]
    private_key: pulumi.Output[str]

    def __init__(
        self, name: str, *, common_name: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props = {"common_name": common_name, **dict.fromkeys(_OUTPUTS)}
        super().__init__(_AuthorityProvider(), name, props, _with_secret_key(opts))


class Certificate(dynamic.Resource, module="certificates", name="Certificate"):
    """A certificate of one role (one year), made anew by the first `up` of its last 30 days.

    Attributes:
        certificate: PEM text.
        private_key: PEM text (PKCS 8), a secret.
        expires: End of validity, ISO 8601 in UTC.
    """

    certificate: pulumi.Output[str]
    private_key: pulumi.Output[str]
    expires: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        role: Role,
        common_name: str,
        authority: CertificateAuthority,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "role": role,
            "common_name": common_name,
            "authority_certificate": authority.certificate,
            "authority_key": authority.private_key,
            **dict.fromkeys(_OUTPUTS),
        }
        super().__init__(_CertificateProvider(), name, props, _with_secret_key(opts))


_OUTPUTS = ("certificate", "private_key", "expires")


def _with_secret_key(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    secret = pulumi.ResourceOptions(additional_secret_outputs=["private_key"])
    return pulumi.ResourceOptions.merge(opts, secret)


class _Provider(dynamic.ResourceProvider):
    """What both providers share: made once, made again when an input differs or the end is near."""

    def issue(self, props: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        issued = self.issue(props)
        return dynamic.CreateResult(id_=_serial(issued["certificate"]), outs=props | issued)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(outs=news | self.issue(news))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = any(olds.get(key) != news[key] for key in news if key not in _OUTPUTS)
        return dynamic.DiffResult(changes=changed or _ends_soon(olds["expires"]))


class _AuthorityProvider(_Provider):
    def issue(self, props: dict[str, Any]) -> dict[str, Any]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(props["common_name"])
        builder = (
            _builder(name, name, key, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
        )
        return _pem(builder.sign(key, hashes.SHA256()), key)


class _CertificateProvider(_Provider):
    def issue(self, props: dict[str, Any]) -> dict[str, Any]:
        authority = x509.load_pem_x509_certificate(props["authority_certificate"].encode())
        authority_key = serialization.load_pem_private_key(
            props["authority_key"].encode(), password=None
        )
        if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"the authority's key is no elliptic curve key: {type(authority_key)}")
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_name(props["common_name"]), authority.subject, key, CERTIFICATE_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(USAGES[props["role"]]), critical=False)
        )
        return _pem(builder.sign(authority_key, hashes.SHA256()), key)


def _name(common_name: str) -> x509.Name:
    # X.509 allows 64 characters in a common name (RFC 5280, ub-common-name).
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of two machines differ a little: a fresh certificate must be valid on both.
        .not_valid_before(now - dt.timedelta(minutes=10))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    return {
        "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "private_key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        "expires": certificate.not_valid_after_utc.isoformat(),
    }


def _serial(certificate: str) -> str:
    return f"{x509.load_pem_x509_certificate(certificate.encode()).serial_number:x}"


def _ends_soon(expires: str) -> bool:
    end = dt.datetime.fromisoformat(expires)
    return end - dt.datetime.now(dt.UTC) < dt.timedelta(days=RENEW_DAYS)
