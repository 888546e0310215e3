"""Two groups, several processes, a namespace, a node's port and an image of one's own."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from distributed import Client
from distributed.security import Security

from tests.kubernetes.podded import kubectl
from tests.running import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kubernetes.podded import Podded

pytestmark = pytest.mark.timeout(900)

NAMESPACE = "science"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
FILES = {"ca_file": "authority.pem", "client_cert": "certificate.pem", "client_key": "key.pem"}
MINE = "app.kubernetes.io/part-of=dask-cluster"
KINDS = (
    "pods,deployments,replicasets,services,configmaps,secrets,serviceaccounts,roles,rolebindings,"
    "networkpolicies,pdb"
)


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Iterator[Podded]:
    stack = podded("groups")
    stack.namespace = NAMESPACE
    assert kubectl("create", "namespace", NAMESPACE).code == 0
    assert kubectl("label", "namespace", NAMESPACE, RESTRICTED).code == 0
    stack.take(
        namespace=NAMESPACE,
        workers=1,
        groups={"big": {"workers": 1, "memory": "900 MiB", "resources": {"GPU": 1}}},
        processes=2,
        memory="900 MiB",
        lifetime="1 h",
        serviceType="NodePort",
        # This machine is outside: the box gives it an address on its wire.
        allowedCidrs=["10.0.0.0/8", "172.16.0.0/12"],
    )
    stack.up()
    yield stack
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def names(stack: Podded, group: str) -> set[str]:
    return {f"{pod}-{n}" for pod in stack.settled(1, group) for n in range(2)}


def test_both_groups_compute(stack: Podded) -> None:
    program = """
import json
from distributed import Client, get_worker
def name(_):
    return get_worker().name
with Client() as client:
    client.wait_for_workers(4, timeout=240)
    every = client.scheduler_info(n_workers=-1)["workers"].values()
    big = client.gather(client.map(name, range(20), resources={"GPU": 1}, pure=False))
    print(json.dumps([sorted(worker["name"] for worker in every), sorted({*big})]))
"""
    plain, big = names(stack, "worker"), names(stack, "big")
    there, asked = stack.python(program)
    assert there == sorted(plain | big)
    assert {*asked} <= big
    assert stack.status()["faults"] == []


def test_nothing_is_to_be_done_again(stack: Podded) -> None:
    """The server writes quantities, ranges and Services in its own words."""
    assert stack.up().changed == {}


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
    (service,) = [
        each for each in stack.objects("services", MINE) if each["spec"]["type"] == "NodePort"
    ]
    (port,) = service["spec"]["ports"]
    assert (service["metadata"]["name"], port["port"]) == ("dask-groups-outside", 8786)
    address = f"tls://{scheduler['status']['hostIP']}:{port['nodePort']}"
    with Client(address, security=security, timeout="60 s") as client:
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 4


def test_an_image_of_ones_own(stack: Podded) -> None:
    """The same one by its name: it is the user's now, and no pod notices."""
    image = stack.outputs()["image"]
    pods = stack.names() | stack.names("big") | stack.names("scheduler")
    stack.edit(imageRepository=None, image=image)
    assert stack.up().changed == {"deleted": ["image EnvironmentImage"]}
    assert stack.names() | stack.names("big") | stack.names("scheduler") == pods


def test_what_the_state_does_not_know_is_swept(stack: Podded) -> None:
    deployment = json.loads(
        stack.kubectl("get", "deployment", "dask-groups-big", "--output", "json")
    )
    copy = orphan(deployment)
    copy["spec"]["replicas"] = 0
    assert kubectl("create", "--filename", "-", given=copy).code == 0
    secret = json.loads(stack.kubectl("get", "secret", "dask-groups-tls-client", "-o", "json"))
    assert kubectl("create", "--filename", "-", given=orphan(secret)).code == 0
    before = everything(stack)
    said = stack.command("rehearse", stack.name, "sweep", "--yes").text
    assert "dask-groups-big-orphan" in said
    assert before - everything(stack) == {
        "deployment.apps/dask-groups-big-orphan",
        "secret/dask-groups-tls-client-orphan",
    }
    assert stack.status()["faults"] == []


def orphan(found: dict[str, Any]) -> dict[str, Any]:
    """Return an object as an `up` leaves it that was killed before it wrote it down."""
    metadata = {key: found["metadata"][key] for key in ("labels", "namespace")}
    metadata["name"] = f"{found['metadata']['name']}-orphan"
    kept = {key: value for key, value in found.items() if key != "status"}
    return {**kept, "metadata": metadata}


def everything(stack: Podded) -> set[str]:
    said = stack.kubectl("get", KINDS, "--output", "name", "--selector", MINE).split()
    return {each for each in said if not each.startswith(("pod/", "replicaset"))}


def test_a_group_that_goes_hands_over(stack: Podded) -> None:
    with loads(stack.beside) as begin:
        load = begin(4)
        stack.edit(groups=None)
        changed = stack.up().changed
        assert "dask-groups-big Deployment" in changed["deleted"]
        stack.settled(0, "big")
        load.check({"SIGTERM": 2})
    assert len(names(stack, "worker")) == 2


def test_only_the_namespace_stays(stack: Podded) -> None:
    stack.destroy()
    assert stack.kubectl("get", KINDS, "--output", "name", "--selector", MINE) == ""
    assert kubectl("get", "namespace", NAMESPACE, "--output", "name").code == 0
