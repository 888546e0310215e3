"""The certificates of a cluster where its machines fetch them: one secret for each role."""

from __future__ import annotations

import hashlib

import pulumi
from pulumi_aws import secretsmanager

# At run time too: Pulumi evaluates the annotations of a resource's class.
from components.certificates import Certificate, CertificateAuthority, Role

ROLES: tuple[Role, ...] = ("scheduler", "worker", "client")


class CertificateSecrets(pulumi.ComponentResource):
    """An authority, a certificate for each role, and a secret for each with its own key only.

    A secret's text is JSON: ``authority`` and ``certificate`` (PEM) and ``key`` (PEM). The
    authority's key is in no secret: it stays in the state, encrypted.

    Attributes:
        arns: The secrets, by role.
        expires: When the first of the certificates ends (ISO time).
        fingerprints: Hash of each role's certificate, by role: another one when it is renewed.
    """

    arns: dict[Role, pulumi.Output[str]]
    expires: pulumi.Output[str]
    fingerprints: dict[Role, pulumi.Output[str]]

    def __init__(
        self, name: str, *, cluster: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create authority, certificates and secrets.

        Args:
            name: Prefix of its resources' names.
            cluster: The cluster's name, in the certificates.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:CertificateSecrets", name, None, opts)
        self._prefix = name
        self._child = pulumi.ResourceOptions(parent=self)
        self._authority = CertificateAuthority(
            f"{name}-authority", common_name=f"{cluster} authority", opts=self._child
        )
        certificates = {
            role: Certificate(
                f"{name}-{role}",
                role=role,
                common_name=f"{cluster} {role}",
                authority=self._authority,
                opts=self._child,
            )
            for role in ROLES
        }
        self.arns = {role: self._create_secret(role, certificates[role]) for role in ROLES}
        self.fingerprints = {
            role: certificates[role].certificate.apply(_fingerprint) for role in ROLES
        }
        ends = pulumi.Output.all(*(each.expires for each in certificates.values()))
        self.expires = ends.apply(min)
        self.register_outputs({})

    def _create_secret(self, role: Role, certificate: Certificate) -> pulumi.Output[str]:
        name = f"{self._prefix}-{role}"
        secret = secretsmanager.Secret(
            name,
            description=f"TLS key and certificate of the Dask {role}",
            # Kept for a month otherwise, and paid for; `up` makes another one at any time.
            recovery_window_in_days=0,
            tags={"Name": name},
            opts=self._child,
        )
        version = secretsmanager.SecretVersion(
            name,
            secret_id=secret.id,
            # A secret because the key is one: the SDK marks what it is made of.
            secret_string=pulumi.Output.json_dumps(
                {
                    "authority": self._authority.certificate,
                    "certificate": certificate.certificate,
                    "key": certificate.private_key,
                }
            ),
            opts=self._child,
        )
        # By the version: whoever reads the ARN from here reads a secret that has its text.
        return version.secret_arn


def _fingerprint(certificate: str) -> str:
    return hashlib.sha256(certificate.encode()).hexdigest()[:16]
