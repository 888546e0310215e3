"""A stand-in for the Kubernetes that rehearsals start on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.kubernetes.cluster import Running
from sandbox.kubernetes.errors import KubernetesError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path


@dataclass
class Cluster:
    """Stands for the Kubernetes of this machine.

    Attributes:
        kubeconfig: Of an API server that answers.
        runs: Whether it does.
        did: What was done with it.
        broken: Why it does not start, or end.
    """

    kubeconfig: Path
    runs: bool = False
    did: list[str] = field(default_factory=list)
    broken: str = ""

    def find(self) -> Running | None:
        return Running(self.kubeconfig, "unix:///run/d.sock") if self.runs else None

    def start(
        self,
        claim: Path,
        cache: Path,
        *,
        say: Callable[[str], None],
        repositories: Collection[str] = (),
    ) -> Running | None:
        if self.broken:
            raise KubernetesError(self.broken)
        assert claim.is_dir()
        assert (claim.name, cache.parts[-2:]) == ("dev", (".cache", "kubernetes"))
        if not self.runs:
            say("starting etcd")
        self.runs = True
        self.did.append(f"start {' '.join(repositories)}")
        return self.find()

    def release(self, claim: Path, say: Callable[[str], None]) -> None:
        if self.broken:
            raise KubernetesError(self.broken)
        self.did.append(f"release {claim.name}")
        say("ending Kubernetes")
        self.runs = False
