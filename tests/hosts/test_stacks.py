"""The larger stacks come up, compute and go, each with two workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.hosts.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hosts.hosted import Hosted

COMPUTE = """
import json
from distributed import Client
with Client() as client:
    client.wait_for_workers(4, timeout=120)
    total = sum(client.gather(client.map(lambda n: n * n, range(1000), pure=False)))
    workers = [w["name"] for w in client.scheduler_info(n_workers=-1)["workers"].values()]
    print(json.dumps([total, sorted(workers), client.scheduler.address[:6]]))
"""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "zones"), [("staging", 2), ("prod", 3)])
def test_a_stack_comes_up_computes_and_goes(
    hosted: Callable[[str], Hosted], name: str, zones: int
) -> None:
    stack = hosted(name)
    before = stack.contents()
    stack.take_committed()
    stack.edit(workers=2)
    assert len(stack.settings["vpc"]["zones"]) == zones
    stack.up()
    rows = stack.hosts("worker")
    names = sorted(f"{row['instance']}-{n}" for row in rows for n in range(2))
    assert stack.python(COMPUTE) == [332833500, names, "tls://"]
    in_zones = {each["AvailabilityZone"] for each in stack.group("worker")["Instances"]}
    assert len(in_zones) == 2
    docker, label = stack.docker, Names.of(stack.folder / "aws").label
    assert len(docker.ps(label)) == 3
    stack.destroy()
    assert stack.contents() == before
    stack.until(lambda: not docker.ps(label), "no host is left")
    stack.end()
    # A Docker of ours has ended with it, but where another rehearsal has it too.
    assert not docker.fits() or docker.networks(label) == []
