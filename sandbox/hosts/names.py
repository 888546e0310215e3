"""Names, addresses and ports of what a rehearsal makes on this machine."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

METADATA: Final = "169.254.169.254"
"""The instance metadata service, as on AWS."""
RESOLVER: Final = "169.254.169.253"
"""The Route 53 Resolver, as on AWS."""
API: Final = "169.254.169.252"
"""The rehearsal's AWS, as hosts see it. AWS has no such address: its endpoints have names."""
DIRECT: Final = (METADATA, API, RESOLVER)
"""All three: hosts reach them through no proxy."""

# On the gateway of a bridge, where the three are really served.
IMDS_PORT: Final = 8181
AWS_PORT: Final = 8182
DNS_PORT: Final = 8053


@dataclass(frozen=True)
class Names:
    """What everything of one rehearsal is called.

    Attributes:
        key: Eight hex digits, always the same for a folder.
    """

    key: str

    @classmethod
    def of(cls, folder: Path) -> "Names":
        """Return the names of the rehearsal whose server keeps itself in this folder."""
        return cls(hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8])

    @property
    def table(self) -> str:
        """The nftables table, of family inet."""
        return f"dask_cluster_{self.key}"

    @property
    def label(self) -> str:
        """On every container and network."""
        return f"dask-cluster.rehearsal={self.key}"

    def network(self, vpc: str) -> str:
        """The Docker network of a VPC."""
        return f"dask-cluster-{self.key}-{vpc}"

    def bridge(self, vpc: str) -> str:
        """The network interface of a VPC, of at most 15 characters."""
        return f"dc-{hashlib.sha256(f'{self.key} {vpc}'.encode()).hexdigest()[:8]}"
