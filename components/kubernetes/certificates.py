"""The certificates of a cluster where its pods read them: a Secret for each role."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core import v1 as core

# At run time too: Pulumi evaluates the annotations of a resource's class.
from components.certificates import Certificate, CertificateAuthority, Role
from components.kubernetes.names import JUPYTER, SCHEDULER, WHOLE, WORKER, Component, Names

COMPONENTS: dict[Role, Component] = {"scheduler": SCHEDULER, "worker": WORKER, "client": JUPYTER}


class CertificateSecrets(pulumi.ComponentResource):
    """An authority, a certificate for each role, and a Secret for each with its own key only.

    The authority's key is in no Secret: it stays in the state, encrypted. A renewal is an update
    of the Secrets, and the fingerprints roll the pods.

    Attributes:
        names: The Secrets, by role.
        expires: When the first of the certificates ends (ISO time).
        public: What is no secret of a role: PEM of the authority and of its own certificate.
        ready: The Secrets.
    """

    names: dict[Role, str]
    expires: pulumi.Output[str]
    public: dict[Role, pulumi.Output[str]]
    ready: list[pulumi.Resource]

    def __init__(
        self, name: str, *, names: Names, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create authority, certificates and Secrets.

        Args:
            name: Prefix of its resources' names.
            names: What objects are called.
            opts: Resource options.
        """
        super().__init__("dask-cluster:kubernetes:CertificateSecrets", name, None, opts)
        self._names = names
        self._child = pulumi.ResourceOptions(parent=self)
        self._authority = CertificateAuthority(
            f"{name}-authority", common_name=f"{names.cluster} authority", opts=self._child
        )
        certificates = {
            role: Certificate(
                f"{name}-{role}",
                role=role,
                common_name=f"{names.cluster} {role}",
                authority=self._authority,
                opts=self._child,
            )
            for role in COMPONENTS
        }
        self.names = {role: names.of(f"tls-{role}") for role in COMPONENTS}
        self.ready = [self._create_secret(role, each) for role, each in certificates.items()]
        self.public = {
            role: pulumi.Output.concat(self._authority.certificate, each.certificate)
            for role, each in certificates.items()
        }
        ends = pulumi.Output.all(*(each.expires for each in certificates.values()))
        self.expires = ends.apply(min)
        self.register_outputs({})

    def _create_secret(self, role: Role, certificate: Certificate) -> core.Secret:
        return core.Secret(
            self.names[role],
            # The client's is also there without a JupyterLab.
            metadata=self._names.metadata(
                f"tls-{role}", WHOLE if role == "client" else COMPONENTS[role]
            ),
            # With the provider's `enableSecretMutable`: else Pulumi deletes it to renew it.
            immutable=False,
            # A secret because the key is one, and the SDK marks all of it.
            string_data={
                "authority.pem": self._authority.certificate,
                "certificate.pem": certificate.certificate,
                "key.pem": certificate.private_key,
            },
            opts=self._child,
        )
