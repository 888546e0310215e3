"""From Pulumi's type tokens to Kubernetes's kinds."""

import re
from dataclasses import dataclass
from typing import Final

from sandbox.provider_protocol import ProviderError

_TOKEN: Final = re.compile(r"kubernetes:([a-z0-9.-]+)/(v[0-9][a-z0-9]*):([A-Z][A-Za-z0-9]*)")
_HELM_AND_FILES: Final = re.compile(r"kubernetes:(helm\.sh|yaml|kustomize)[/:]")
# The real provider waits for these in ways of their own, or updates them in another way.
_OTHERWISE: Final = frozenset(
    {
        "CustomResourceDefinition", "DaemonSet", "Ingress", "Job", "PersistentVolume", "Pod",
        "ReplicationController", "ResourceQuota", "StatefulSet",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    Attributes:
        api_version: As in a manifest: `v1`, `apps/v1`.
        kind: As in a manifest: `Deployment`.
    """

    api_version: str
    kind: str

    @property
    def group(self) -> str:
        """The API group; empty for the core."""
        group, slash, _ = self.api_version.partition("/")
        return group if slash else ""

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}"


def kind_of(token: str) -> Kind:
    """The kind that a type token such as `kubernetes:apps/v1:Deployment` means.

    Raises:
        ProviderError: This plugin does not stand in for the real one there.
    """
    found = _TOKEN.fullmatch(token)
    if _HELM_AND_FILES.match(token) or found is None:
        raise ProviderError(
            f"{token} is not a kind of Kubernetes: in a rehearsal there are no Helm charts, YAML "
            "files or Kustomize folders; declare the objects themselves"
        )
    group, version, kind = found.groups()
    if kind.endswith("Patch"):
        raise ProviderError(f"{kind}: a rehearsal knows no Patch resources; declare the object")
    if kind.endswith("List"):
        raise ProviderError(f"{kind}: lists cannot be created; declare the objects themselves")
    if kind in _OTHERWISE:
        raise ProviderError(f"{kind}: the plugin of a rehearsal does not know this kind's ways")
    return Kind(version if group == "core" else f"{group}/{version}", kind)
