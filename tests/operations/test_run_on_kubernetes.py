"""`run` and `jupyter` on Kubernetes: a real scheduler behind a forwarding, and nothing left."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.settings import ports
from tests.environment.built import run_install
from tests.node.cluster import Cluster
from tests.operations.kubernetes import OUTPUTS, Kubernetes
from tests.operations.serving import Handler, Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.operations.project import Project

PLACE = """
import json, os, pathlib, dask
folder = pathlib.Path(os.environ["DASK_CONFIG"]).parent
print(json.dumps({
    "modes": {str(p.relative_to(folder)): oct(p.stat().st_mode & 0o777)
              for p in sorted(folder.rglob("*")) if not p.name.endswith(".log")},
    "address": dask.config.get("scheduler-address"),
    "link": dask.config.get("distributed.dashboard.link"),
    "key": pathlib.Path(dask.config.get("distributed.comm.tls")["client"]["key"]).read_text(),
}))
"""
ASKING = """
import socket, sys, time, dask
port = int(dask.config.get("scheduler-address").rpartition(":")[2])
limit = time.monotonic() + 40
for _ in range(2):
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as near:
                near.sendall(b"x")
                said = near.recv(5).decode()
            if said:
                print(said, flush=True)
                break
        except OSError:
            pass
        assert time.monotonic() < limit
        time.sleep(0.1)
"""


@pytest.fixture(scope="session")
def environment(checkout: Path) -> Path:
    """The environment of the copied checkout, built with all the others."""
    script = checkout / "images" / "environment" / "install.sh"
    identity = run_install("--identity", script=script).stdout.strip()
    folder = checkout / ".dask-cluster" / "environments" / identity
    done = run_install(folder, script=script)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def place(
    project: Project, kubernetes: Kubernetes, environment: Path, certificates: Path
) -> Iterator[Project]:
    """A checkout of the cluster's version; afterwards nothing of a `run` may be left."""
    project.answer({**OUTPUTS, "environment": environment.name})
    parts = {"authority.pem": "ca.pem", "certificate.pem": "client.pem", "key.pem": "client.key"}
    texts = {part: (certificates / name).read_text() for part, name in parts.items()}
    kubernetes.put_secret("dask-dev-tls-client", **texts)
    kubernetes.put_secret("dask-dev-jupyter", token="abc123")  # noqa: S106
    forward(project)
    yield project
    assert left(project) == []


def forward(project: Project, **real: int) -> None:
    """Say which port of this machine stands for which of the cluster."""
    there = {str(ports.SCHEDULER): 1, str(ports.DASHBOARD): 1, "8888": 1}
    project.environ["FAKE_KUBECTL_PORTS"] = json.dumps(there | real)


def starts(project: Project) -> list[dict[str, Any]]:
    return [each for each in project.kubectls() if "words" in each]


def left(project: Project) -> list[str]:
    """Return what has been left: temporary files, and kubectls."""
    found = [str(path) for path in project.temporary.iterdir()]
    return found + [
        f"process {start['pid']}"
        for start in starts(project)
        if Path(f"/proc/{start['pid']}").exists()
    ]


def locals_of(start: dict[str, Any]) -> list[int]:
    return [int(word.partition(":")[0]) for word in start["words"][8:]]


def run(project: Project, program: str) -> str:
    printed, errors = project.command("run", "dev", "--", "python", "-c", program)
    assert errors == ""
    return printed


def test_a_bare_client_connects(
    place: Project,
    environment: Path,
    certificates: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("cluster")
    with Cluster(environment, certificates, folder) as cluster:
        cluster.start_scheduler()
        cluster.start_worker("w0")
        cluster.wait_registered("w0")
        forward(place, **{str(ports.SCHEDULER): int(cluster.address.rpartition(":")[2])})
        program = (
            "from dask.distributed import Client; c = Client(); "
            "print(c.scheduler.address, c.submit(sum, [40, 2]).result())"
        )
        address, result = run(place, program).split()
    (start,) = starts(place)
    scheduler, dashboard = locals_of(start)
    assert start["words"] == [
        *("--context", "kind-kind", "--namespace", "dask-dev", "port-forward"),
        *("--address", "127.0.0.1", "service/dask-dev-scheduler"),
        *(f"{scheduler}:8786", f"{dashboard}:8787"),
    ]
    assert address == f"tls://127.0.0.1:{scheduler}"
    assert result == "42"
    assert [each["ended"] for each in place.kubectls() if "ended" in each] == ["SIGINT"]


def test_what_a_command_finds(place: Project, certificates: Path) -> None:
    found = json.loads(run(place, PLACE))
    (start,) = starts(place)
    scheduler, dashboard = locals_of(start)
    assert found["address"] == f"tls://127.0.0.1:{scheduler}"
    assert found["link"] == f"http://127.0.0.1:{dashboard}/status"
    assert found["key"] == (certificates / "client.key").read_text()
    assert found["modes"] == {
        "dask": "0o700",
        "dask/0.yaml": "0o644",
        "dask/1.yaml": "0o644",
        "tls": "0o700",
        "tls/authority.pem": "0o600",
        "tls/certificate.pem": "0o600",
        "tls/key.pem": "0o600",
    }


def greet(server: socket.socket) -> None:
    """Greet whoever says something, until the server is closed."""
    while True:
        try:
            far, _ = server.accept()
            with far:
                far.recv(1)
                far.sendall(b"hello")
        except OSError:
            if server.fileno() == -1:
                return


class _Hello(Handler):
    def get(self) -> None:
        self.answer(200, "hello")


def test_another_pod_is_reached_after_the_first(place: Project) -> None:
    """kubectl ends with its pod; the ports here stay the same."""
    place.environ["FAKE_KUBECTL"] = "short"
    with socket.create_server(("127.0.0.1", 0)) as server:
        forward(place, **{str(ports.SCHEDULER): server.getsockname()[1]})
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        assert run(place, ASKING) == "hello\nhello\n"
    first, second, *_ = starts(place)
    assert locals_of(first) == locals_of(second)


@pytest.mark.parametrize("kind", ["fails", ""])
def test_the_way_cannot_be_opened(place: Project, kubernetes: Kubernetes, kind: str) -> None:
    place.environ["FAKE_KUBECTL"] = kind
    if kind:
        assert place.refused("run", "dev", "--", "true", code=1) == (
            "kubectl port-forward has ended. It said: Error from server (NotFound): services "
            '"dask-dev-scheduler" not found'
        )
        return
    kubernetes.refusals["GET", "secrets"] = (403, "secrets is forbidden")
    assert place.refused("run", "dev", "--", "true", code=1) == (
        "Kubernetes, reading the Secret dask-dev-tls-client: secrets is forbidden"
    )
    assert starts(place) == []


@pytest.mark.parametrize("words", [("run", "dev", "--", "true"), ("jupyter", "dev")])
def test_no_kubectl(place: Project, kubernetes: Kubernetes, words: tuple[str, ...]) -> None:
    place.remove("kubectl")
    place.environ["PATH"] = f"{place.outside}/bin"
    assert place.refused(*words, code=1) == (
        "there is no `kubectl` on PATH: it reads the kubeconfig, and carries ports of pods to "
        "here. Install it: https://kubernetes.io/docs/tasks/tools/"
    )
    assert kubernetes.calls == []


def test_jupyter(place: Project) -> None:
    with Serving(_Hello) as lab:
        forward(place, **{"8888": int(lab.endpoint.rpartition(":")[2])})
        process = place.start("jupyter", "dev")
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"JupyterLab: (http://127\.0\.0\.1:\d+)/lab\?token=abc123\n", line)
        assert match, line
        assert process.stdout.readline() == "It stays open until Ctrl-C.\n"
        with urllib.request.urlopen(match[1]) as answer:  # noqa: S310  # on loopback
            assert json.loads(answer.read()) == "hello"
        assert Path(f"/proc/{process.pid}").exists()
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=30)
    assert (printed, errors, process.returncode) == ("", "", 0)
    (start,) = starts(place)
    assert start["words"][7] == "service/dask-dev-jupyter"


def test_jupyter_ends_by_a_signal(place: Project) -> None:
    process = place.start("jupyter", "dev", stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM


def test_without_jupyter(place: Project) -> None:
    place.answer({**OUTPUTS, "jupyter": None})
    assert place.refused("jupyter", "dev", code=1) == (
        "cluster `dev` has no JupyterLab. Write `jupyter: {}` into its stack file, and then: "
        "pulumi up -s dev"
    )


def test_no_such_command(place: Project) -> None:
    said = place.refused("run", "dev", "--", "no-such-thing", code=1)
    assert said == "no-such-thing: no such command in the cluster's environment or on PATH."
    assert starts(place) == []
