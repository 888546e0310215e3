"""The Kubernetes of a rehearsal: chosen once, kept over a kill, and given up by its end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from rich.console import Console

from engine.state import ResourceState
from operations import rehearse_command, rehearse_kubernetes, rehearsed
from operations.rehearse import Action, Asked
from operations.rehearse_kubernetes import OURS, PLUGINS, KubernetesRehearsal
from operations.stacks import COMMAND, CommandError, open_stack
from sandbox.kubernetes import cluster
from tests.operations.cluster_here import Cluster
from tests.operations.kubernetes import NAMESPACE, SETTINGS, Kubernetes, write_kubeconfig
from tests.operations.project import COMMAND as PROGRAM

if TYPE_CHECKING:
    from tests.operations.project import Project

BEGIN = f"{COMMAND} rehearse dev"
GONE = (
    "the Kubernetes of the rehearsal of `dev` does not run any more, and its pods ended with it. "
    f"To make them again: `{BEGIN} up`."
)


@pytest.fixture
def machine(
    project: Project, kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cluster:
    """A machine with a Kubernetes of ours, in which there is nothing."""
    kubernetes.objects.clear()
    file = tmp_path / "ours"
    write_kubeconfig(file, kubernetes.endpoint, OURS)
    made = Cluster(file)
    for name in ("find", "start", "release"):
        monkeypatch.setattr(cluster, name, getattr(made, name))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "environ", {**os.environ, **project.environ, "DOCKER_HOST": "theirs"})
    (project.directory / ".dask-cluster").unlink()
    monkeypatch.chdir(project.directory)
    return made


@pytest.fixture
def rehearsal(machine: Cluster) -> KubernetesRehearsal:
    """One that has not begun."""
    assert not machine.runs
    found = rehearsed.of(open_stack("dev"))
    assert isinstance(found, KubernetesRehearsal)
    return found


def do(action: Action, *, asked: Asked | None = None) -> tuple[bool, str]:
    """Do something as a person would who says yes to all; return what was printed."""
    console = Console(record=True, width=200)
    well = rehearse_command.run(
        console, open_stack("dev"), action, asked=asked or Asked(), ask=None
    )
    return well, console.export_text()


def make_state(rehearsal: KubernetesRehearsal) -> None:
    """Leave a state that names something."""
    urn = "urn:pulumi:dev::dask-cluster::pulumi:pulumi:Stack::dask-cluster-dev"
    state = ResourceState(urn=urn, custom=False, type="pulumi:pulumi:Stack")
    exported = rehearsal.stack().export()
    exported["deployment"]["resources"] = [{"urn": state.urn, "custom": False, "type": state.type}]
    rehearsal.stack().import_(exported)


def test_what_a_child_knows(rehearsal: KubernetesRehearsal, machine: Cluster) -> None:
    said: list[str] = []
    rehearsal.begin(say=said.append)
    assert (machine.did, said) == (["start ghcr.io/me/dask"], ["starting etcd"])
    kept = rehearsal.folder / "kubernetes"
    assert os.environ["PATH"].split(":")[0] == str(PLUGINS)
    assert os.environ["DOCKER_HOST"] == "unix:///run/d.sock"
    assert os.environ["DOCKER_CONFIG"] == str(kept / "docker")
    assert os.environ["KUBECONFIG"] == str(kept / "kubeconfig")
    assert "127.0.0.1" in os.environ["no_proxy"].split(",")
    assert (kept / "kubeconfig").stat().st_mode & 0o777 == 0o600
    config = yaml.safe_load((kept / "kubeconfig").read_text())
    assert config["current-context"] == "kind-kind"
    assert [each["name"] for each in config["contexts"]] == ["kind-kind"]
    assert config["users"] == [{"name": "u", "user": {"token": "secret"}}]


def test_another_context_in_the_stack_file(
    rehearsal: KubernetesRehearsal, machine: Cluster, project: Project
) -> None:
    """The state knows the first name: it goes on being one of the same cluster."""
    rehearsal.begin()
    project.edit(**{**SETTINGS, "context": "prod"})
    KubernetesRehearsal(rehearsal.opened).begin()
    config = json.loads(rehearsal.kubeconfig.read_text())
    assert [each["name"] for each in config["contexts"]] == ["kind-kind", "prod"]
    assert config["current-context"] == "prod"
    assert len(machine.did) == 2


def test_the_end(rehearsal: KubernetesRehearsal, machine: Cluster) -> None:
    rehearsal.begin()
    make_state(rehearsal)
    well, printed = do(Action.DESTROY)
    assert well
    assert printed.endswith("ending Kubernetes\nNothing of it is left in its Kubernetes.\n")
    assert machine.did[1:] == ["start ", "release dev"]
    assert not rehearsal.folder.parent.exists()
    assert do(Action.DESTROY) == (True, "Stack dev is not rehearsed: nothing to destroy.\n")


def test_what_is_left_is_named(
    rehearsal: KubernetesRehearsal,
    machine: Cluster,
    kubernetes: Kubernetes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rehearse_kubernetes, "TIDY_SECONDS", 0.1)
    rehearsal.begin()
    kubernetes.put("pods", "dask-dev-worker-1", namespace="somewhere")
    well, printed = do(Action.DESTROY)
    assert not well
    assert printed.endswith(
        "Left behind, 1 in all:\n"
        "  pod dask-dev-worker-1\n"
        f"`{BEGIN} sweep` deletes what has the stack's labels.\n"
    )
    assert (machine.runs, rehearsal.exists) == (True, True)
    kubernetes.objects["pods"][0]["metadata"]["namespace"] = NAMESPACE
    well, printed = do(Action.SWEEP)
    assert (well, kubernetes.names()) == (True, [])
    assert do(Action.DESTROY)[0]


def test_the_end_of_what_was_killed(
    rehearsal: KubernetesRehearsal, machine: Cluster, project: Project
) -> None:
    """Nothing is started to delete what has ended; a stack file is not needed."""
    rehearsal.begin()
    make_state(rehearsal)
    machine.runs = False
    project.edit(platform="kubernetes", wokers=3)
    well, printed = do(Action.DESTROY)
    assert well
    assert "its Kubernetes does not run any more, and what the state names has ended" in printed
    assert machine.did[1:] == ["release dev"]
    assert not rehearsal.exists


@pytest.mark.parametrize("action", [Action.STATUS, Action.SWEEP])
def test_nothing_runs_any_more(
    rehearsal: KubernetesRehearsal, machine: Cluster, action: Action
) -> None:
    rehearsal.begin()
    machine.runs = False
    with pytest.raises(CommandError) as refused:
        do(action)
    assert str(refused.value) == GONE
    with pytest.raises(CommandError, match="does not run any more"):
        rehearsed.run(rehearsal, ["true"])
    assert machine.did == ["start ghcr.io/me/dask"]


def test_it_does_not_start(rehearsal: KubernetesRehearsal, machine: Cluster) -> None:
    machine.broken = "this machine cannot be a Kubernetes yet: no etcd"
    with pytest.raises(CommandError, match="no etcd"):
        rehearsal.begin()
    assert rehearsal.known is None
    machine.broken = ""
    rehearsal.begin(Asked(context=OURS))


def test_it_does_not_end(rehearsal: KubernetesRehearsal, machine: Cluster) -> None:
    rehearsal.begin()
    machine.broken = "a mount is busy"
    machine.runs = False
    with pytest.raises(CommandError, match="a mount is busy"):
        do(Action.DESTROY)
    assert rehearsal.known == OURS
    machine.broken = ""
    assert do(Action.DESTROY)[0]


def test_ours_is_roots(
    rehearsal: KubernetesRehearsal, machine: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one cannot see whether it runs, and must not forget what is there."""
    rehearsal.begin()
    make_state(rehearsal)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for action in (Action.DESTROY, Action.STATUS):
        with pytest.raises(CommandError) as refused:
            do(action)
        assert str(refused.value) == "the Kubernetes of rehearsals is root's: run this with sudo."
    assert rehearsal.stack().exists
    assert machine.runs


def test_a_kubernetes_of_the_persons_own(
    rehearsal: KubernetesRehearsal, machine: Cluster, project: Project
) -> None:
    rehearsal.begin(Asked(context="kind-kind"))
    assert machine.did == []
    assert os.environ["DOCKER_HOST"] == "theirs"
    assert os.environ["KUBECONFIG"] == str(rehearsal.kubeconfig)
    rehearsal.begin()
    with pytest.raises(CommandError) as refused:
        rehearsal.begin(Asked(context="k3d"))
    assert str(refused.value) == (
        "the rehearsal of `dev` has begun on context `kind-kind`, and stays there. End it, and "
        f"begin anew:\n  {BEGIN} destroy\n  {BEGIN} up --context k3d"
    )
    os.environ["KUBECONFIG"] = project.environ["KUBECONFIG"]  # as another process has it
    assert do(Action.DESTROY)[0]
    assert machine.did == []


def test_a_kubernetes_elsewhere_is_refused(
    rehearsal: KubernetesRehearsal, machine: Cluster, project: Project
) -> None:
    write_kubeconfig(Path(project.environ["KUBECONFIG"]), "https://192.0.2.1:6443", "prod")
    with pytest.raises(CommandError) as refused:
        rehearsal.begin(Asked(context="prod"))
    assert str(refused.value).startswith(
        f"{project.environ['KUBECONFIG']}: the API server is https://192.0.2.1:6443, which is not "
        "at an address of this machine"
    )
    assert (rehearsal.known, machine.did) == (None, [])


def test_no_such_context(rehearsal: KubernetesRehearsal, machine: Cluster) -> None:
    with pytest.raises(CommandError, match="no-such-context"):
        rehearsal.begin(Asked(context="no-such-context"))
    assert (rehearsal.known, machine.did) == (None, [])


def test_hosts_are_for_aws(project: Project) -> None:
    project.edit(**SETTINGS)
    assert project.refused("rehearse", "dev", "up", "--hosts", code=2) == (
        f"`--hosts` is for stacks for AWS. The pods of `dev` are real anyway:\n"
        f"  {PROGRAM} rehearse dev up"
    )


def test_a_context_is_for_kubernetes(project: Project) -> None:
    assert project.refused("rehearse", "dev", "up", "--context", "kind-kind", code=2) == (
        "`--context` is for stacks of platform kubernetes, and `dev` is for AWS."
    )
    assert project.refused("rehearse", "dev", "status", "--context", "kind-kind", code=2) == (
        "`--context` belongs to `up`, and a rehearsal keeps its Kubernetes to its end. Type:\n"
        f"  {PROGRAM} rehearse dev status"
    )


def test_a_stack_that_has_moved(
    rehearsal: KubernetesRehearsal, machine: Cluster, project: Project
) -> None:
    rehearsal.begin()
    moved: dict[str, Any] = {"region": "us-east-2", "vpc": {"zones": ["us-east-2a"]}}
    project.edit(platform="vm", workers=1, instanceTypes=["m7i.large"], **moved)
    with pytest.raises(CommandError) as refused:
        do(Action.UP)
    assert str(refused.value) == (
        "the rehearsal of `dev` has a Kubernetes, and the stack file says `platform: vm`. End it "
        f"first:\n  {BEGIN} destroy"
    )
    assert do(Action.DESTROY)[0]
    assert machine.did[-1] == "release dev"


@pytest.mark.parametrize("words", [("status",), ("doctor",), ("jupyter",), ("run", "true")])
def test_there_is_none(project: Project, words: tuple[str, ...]) -> None:
    project.edit(**SETTINGS)
    command, *rest = words
    said = project.refused(command, "dev", "--rehearsal", *rest, code=6)
    assert said == f"stack `dev` is not rehearsed: `{PROGRAM} rehearse dev up`."
