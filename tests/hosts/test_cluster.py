"""A small cluster comes up on real hosts, computes, and is left without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hosts.hosted import Hosted


@pytest.fixture(scope="module")
def dev(hosted: Callable[[str], Hosted]) -> Hosted:
    stack = hosted("dev")
    stack.take_committed()
    stack.up()
    return stack


def test_the_cluster_computes_by_tls(dev: Hosted) -> None:
    found = dev.python(
        "import json, dask; from distributed import Client\n"
        "with Client() as client:\n"
        "    client.wait_for_workers(2, timeout=60)\n"
        "    total = sum(client.gather(client.map(lambda n: n * n, range(1000), pure=False)))\n"
        "    workers = client.scheduler_info(n_workers=-1)['workers'].values()\n"
        "    names = sorted(worker['name'] for worker in workers)\n"
        "    print(json.dumps([total, names, client.scheduler.address[:6]]))\n"
    )
    names = sorted(f"{row['instance']}-0" for row in dev.hosts("worker"))
    assert found == [332833500, names, "tls://"]
    assert len(names) == 2


def test_a_second_up_changes_nothing(dev: Hosted) -> None:
    assert dev.up().changed == {}
