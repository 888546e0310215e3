"""What `sweep` finds, asks and deletes on Kubernetes: by labels, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from components.settings import KubernetesSettings, load_file
from operations import sweep_pods
from operations.kube import Api
from tests.operations.kubernetes import CONTEXT, SETTINGS, Kubernetes

if TYPE_CHECKING:
    from tests.operations.project import Project

WHERE = "dev in namespace dask-dev, by context kind-kind"
PLURALS = [plural for _, _, plural in sweep_pods.KINDS]


@pytest.fixture
def all_of_it(kubernetes: Kubernetes) -> Kubernetes:
    """One thing of each kind, the namespace included, and as many of a neighbour."""
    kubernetes.objects.clear()
    for cluster, namespace in (("dev", "dask-dev"), ("other", "dask-dev")):
        for plural in PLURALS:
            kubernetes.put(plural, f"dask-{cluster}-it", cluster=cluster, namespace=namespace)
    kubernetes.put("namespaces", "dask-dev")
    return kubernetes


@pytest.fixture
def settings(
    project: Project, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> KubernetesSettings:
    """Of the stack; this process has its kubeconfig."""
    assert kubernetes.endpoint
    monkeypatch.setenv("KUBECONFIG", project.environ["KUBECONFIG"])
    project.edit(**SETTINGS, drainTimeout=60)
    found = load_file(project.directory / "stacks" / "Pulumi.dev.yaml")
    assert isinstance(found, KubernetesSettings)
    return found


def test_all_of_a_cluster_and_nothing_of_its_neighbour(
    project: Project, all_of_it: Kubernetes
) -> None:
    before = [name for name in all_of_it.names() if "dask-other-it" in name]
    assert len(before) == len(PLURALS)
    printed, errors = project.command("sweep", "dev", "--yes")
    assert errors == ""
    kinds = [name for name, _, _ in sweep_pods.KINDS]
    lines = [*(f"{kind:<20} dask-dev-it" for kind in kinds), f"{'namespace':<20} dask-dev"]
    assert printed.splitlines() == [
        *(f"    {line}" for line in lines),
        "",
        *(f" -  {line}" for line in lines),
        "",
        f"Nothing is left of {WHERE}.",
    ]
    assert all_of_it.names() == before
    assert not (project.outside / "pulumi.json").exists()
    printed, _ = project.command("sweep", "dev", "--yes")
    assert printed == f"Nothing bears the labels of {WHERE}.\n"


def test_a_namespace_that_was_there_stays(
    all_of_it: Kubernetes, settings: KubernetesSettings
) -> None:
    for each in all_of_it.objects["namespaces"]:
        each["metadata"]["labels"] = {}
    asked: list[str] = []
    assert sweep_pods.run(Console(quiet=True), "dev", settings, ask=asked.append)
    assert asked == [f"Delete {len(PLURALS)} things (1 of them pods) of {WHERE}, data and all?"]
    assert "namespaces dask-dev" in all_of_it.names()


def test_a_no_deletes_nothing(all_of_it: Kubernetes, settings: KubernetesSettings) -> None:
    before = all_of_it.names()

    def refuse(_question: str) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        sweep_pods.run(Console(quiet=True), "dev", settings, ask=refuse)
    assert all_of_it.names() == before


def test_pods_that_drain_are_waited_for(
    all_of_it: Kubernetes, settings: KubernetesSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_of_it.lingers = {"pods"}
    looks = 0
    find = Api.items

    def looking(self: Api, what: str, path: str, **query: object) -> object:
        nonlocal looks
        looks += path.endswith("/pods")
        if looks == 4:
            all_of_it.tidy()
        return find(self, what, path, **query)

    monkeypatch.setattr(Api, "items", looking)
    assert sweep_pods.run(Console(quiet=True), "dev", settings, ask=lambda _: None, quiet=1)
    assert all_of_it.calls.count("DELETE /api/v1/namespaces/dask-dev/pods/dask-dev-it") == 1


def test_a_refusal_is_named(all_of_it: Kubernetes, settings: KubernetesSettings) -> None:
    all_of_it.refusals["DELETE", "secrets"] = (403, "secrets is forbidden")
    all_of_it.refusals["GET", "roles"] = (403, "roles is forbidden")
    console = Console(record=True, width=120)
    assert not sweep_pods.run(console, "dev", settings, ask=lambda _: None, quiet=0.3)
    assert console.export_text().endswith(
        "\nLeft, 2 in all:\n"
        " !  role                 all of them\n"
        "      Kubernetes, looking for each role: roles is forbidden\n"
        " !  secret               dask-dev-it\n"
        "      Kubernetes, deleting a secret: secrets is forbidden\n"
        "Remove what holds them, and run this again.\n"
    )


@pytest.mark.usefixtures("settings")
def test_everywhere(all_of_it: Kubernetes) -> None:
    """Also in another namespace, and where an answer does not hold all of them."""
    all_of_it.page = 1
    all_of_it.put("secrets", "dask-dev-more", namespace="somewhere")
    found, refused = sweep_pods.find("dev", Api(CONTEXT))
    assert (len(found), refused) == (len(PLURALS) + 2, [])
