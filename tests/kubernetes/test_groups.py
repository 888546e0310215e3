"""Two groups, several processes, a namespace, a node's port and an image of one's own."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from distributed import Client
from distributed.security import Security

from tests.kubernetes.podded import kubectl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kubernetes.podded import Podded
    from tests.running import Load

pytestmark = pytest.mark.timeout(900)

NAMESPACE = "science"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
FILES = {"ca_file": "authority.pem", "client_cert": "certificate.pem", "client_key": "key.pem"}


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Iterator[Podded]:
    stack = podded("groups")
    stack.namespace = NAMESPACE
    # A process has a thread at least, and so a CPU or a part of one.
    big = {"workers": 1, "cpu": 1.1, "processes": 2, "memory": "1 GiB", "resources": {"GPU": 2}}
    stack.take(
        namespace=NAMESPACE,
        workers=1,
        groups={"big": big},
        schedulerCpu=0.3,
        lifetime="1 h",
        serviceType="NodePort",
        # This machine is outside: the box gives it an address on its wire.
        allowedCidrs=["10.0.0.0/8", "172.16.0.0/12"],
    )
    assert kubectl("create", "namespace", NAMESPACE).code == 0
    try:
        assert kubectl("label", "namespace", NAMESPACE, RESTRICTED).code == 0
        stack.up()
        yield stack
    finally:
        kubectl("delete", "namespace", NAMESPACE)


def names(stack: Podded, group: str, processes: int) -> set[str]:
    return {f"{pod}-{n}" for pod in stack.settled(1, group) for n in range(processes)}


def test_both_groups_compute(stack: Podded) -> None:
    program = """
import json
from distributed import Client, get_worker
def name(_):
    return get_worker().name
with Client() as client:
    client.wait_for_workers(3, timeout=240)
    every = client.scheduler_info(n_workers=-1)["workers"].values()
    big = client.gather(client.map(name, range(20), resources={"GPU": 1}, pure=False))
    print(json.dumps([sorted(worker["name"] for worker in every), sorted({*big})]))
"""
    plain, big = names(stack, "worker", 1), names(stack, "big", 2)
    there, asked = stack.python(program)
    assert there == sorted(plain | big)
    assert {*asked} <= big
    assert stack.status()["faults"] == []


def test_nothing_is_to_be_done_again(stack: Podded) -> None:
    """The server writes quantities, ranges and Services in its own words."""
    assert stack.up().changed == {}


# Of this machine's Python the patch number is another.
@pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")
def test_a_client_comes_in_by_a_nodes_port(stack: Podded, tmp_path: Path) -> None:
    """As stacks/README.md says: with the three files of the client's Secret."""
    secret = stack.outputs()["client_secret"]
    data = json.loads(stack.kubectl("get", "secret", secret, "--output", "json"))["data"]
    for name in FILES.values():
        (tmp_path / name).write_bytes(base64.b64decode(data[name]))
    security = Security(
        require_encryption=True,
        **{f"tls_{name}": str(tmp_path / file) for name, file in FILES.items()},
    )
    (scheduler,) = stack.pods("scheduler")
    (service,) = [each for each in stack.objects("services") if each["spec"]["type"] == "NodePort"]
    (port,) = service["spec"]["ports"]
    assert (service["metadata"]["name"], port["port"]) == ("dask-groups-outside", 8786)
    address = f"tls://{scheduler['status']['hostIP']}:{port['nodePort']}"
    with Client(address, security=security, timeout="60 s") as client:
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 3


def test_an_image_of_ones_own(stack: Podded) -> None:
    """The same one by its name: it is the user's now, and no pod notices."""
    image = stack.outputs()["image"]
    pods = stack.names() | stack.names("big") | stack.names("scheduler")
    stack.edit(imageRepository=None, image=image)
    assert stack.up().changed == {"deleted": ["image EnvironmentImage"]}
    assert stack.names() | stack.names("big") | stack.names("scheduler") == pods


def test_a_group_that_goes_hands_over(stack: Podded, load: Callable[..., Load]) -> None:
    load_ = load(3)
    stack.edit(groups=None)
    changed = stack.up().changed
    assert "dask-groups-big Deployment" in changed["deleted"]
    stack.settled(0, "big")
    load_.check({"SIGTERM": 2})


def test_sweep_deletes_what_is_ours_and_nothing_else(stack: Podded) -> None:
    """In a namespace that others have things in; then there is nothing left for `destroy`."""
    stack.kubectl("create", "configmap", "notes", "--from-literal", "of=somebody")
    said = stack.command("rehearse", stack.name, "sweep", "--yes").text
    assert "dask-groups-worker" in said
    assert stack.left() == []
    stack.destroy()
    assert stack.kubectl("get", "configmap", "notes", "--output", "name") == "configmap/notes\n"
