"""Clusters of pods: the place of the platform ``kubernetes``, by what its API says of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.settings import KubernetesSettings
from operations import into_pods, pods_doctor, pods_look, pods_screen, remote, sweep_pods
from operations.kube import Api
from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from operations.clusters import Cluster
    from operations.stacks import Opened


def show(console: Console, cluster: Cluster, *, as_json: bool) -> bool:
    """Show a cluster; return whether nothing is wrong with it."""
    found = cluster.outputs
    view = pods_look.look(found, Api(found["context"]))
    faults = pods_screen.faults(view)
    if as_json:
        shown = {"stack": cluster.name, "outputs": found, "faults": faults, **view.as_json()}
        console.print(json.dumps(shown, indent=2), markup=False, soft_wrap=True)
    else:
        pods_screen.show(console, cluster.name, found, view)
    return not faults


def findings(cluster: Cluster) -> Iterator[tuple[bool, str]]:
    """Yield each check of a cluster: whether it is well, and a line that says what was seen."""
    api = Api(cluster.outputs["context"])
    yield from pods_doctor.findings(cluster.outputs, pods_look.look(cluster.outputs, api), api)


def run(cluster: Cluster, words: Sequence[str]) -> int:
    """Run a command beside a cluster; return its exit code."""
    way = into_pods.Way(cluster, Api(cluster.outputs["context"]))
    return remote.run(cluster, words, way=way)


def sweep(console: Console, opened: Opened, *, ask: Callable[[str], None]) -> bool:
    """Delete what bears a cluster's labels; return whether nothing is left.

    Raises:
        SettingsError: The stack file is wrong; it says where to look.
        CommandError: There is no such context.
    """
    settings = opened.settings()
    if not isinstance(settings, KubernetesSettings):
        raise CommandError(f"stack `{opened.name}` is not on Kubernetes.")
    return sweep_pods.run(console, opened.name, settings, ask=ask)
