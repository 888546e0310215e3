"""The watch and a real worker on its host: the notice reaches the drain, which keeps the data."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from dask_node.aws.watch import SPOT, STATE, Host, Watch
from tests.node.aws_calls import REGION, Calls
from tests.node.imds import FakeMetadata

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.node.cluster import Cluster

INSTANCE = "i-0123456789abcdef0"
# Puts data on the instance that is about to go, waits until it has gone, and reads it.
CLIENT = f"""
import time
from dask.distributed import Client

with Client() as client:
    client.wait_for_workers(2)
    data = client.scatter(list(range(100)), workers=["{INSTANCE}-0"])
    print("scattered", flush=True)
    while len(client.scheduler_info(n_workers=-1)["workers"]) > 1:
        time.sleep(0.05)
    assert client.gather(data) == list(range(100))
    print("all there", flush=True)
"""
SYSTEMCTL = """\
#!/bin/bash
kill -TERM "$WORKER"
while [[ ! -e $GONE ]]; do sleep 0.05; done
"""


def test_a_spot_notice_moves_the_data_of_the_instance(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = Calls()
    monkeypatch.setattr("dask_node.aws.watch.client", aws.client)
    command = tmp_path / "bin" / "systemctl"
    command.parent.mkdir()
    command.write_text(SYSTEMCTL)
    command.chmod(0o755)
    notice = tmp_path / "notice.json"
    cluster.start_scheduler()
    worker = cluster.start_worker(f"{INSTANCE}-0", DASK_CLUSTER_NOTICE=str(notice))
    cluster.start_worker("i-other-0")
    client = cluster.start_python("client", CLIENT)
    cluster.wait_log("client", "scattered")
    monkeypatch.setenv("WORKER", str(worker.pid))
    monkeypatch.setenv("GONE", str(tmp_path / "gone"))
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    with FakeMetadata() as metadata:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.endpoint)
        metadata.items |= {STATE: "InService", SPOT: '{"action": "terminate"}'}
        host = Host("worker", REGION, "dev-worker", INSTANCE, 900.0, notice)
        watch = threading.Thread(target=Watch(host, poll=0.05, beat=60.0).run)
        watch.start()
        assert worker.wait(60) == 0  # told to end, and not to be started again
        assert aws.made == []
        (tmp_path / "gone").touch()
        metadata.items[STATE] = "Terminated"
        watch.join(20)
        assert not watch.is_alive()
    assert aws.names() == ["CompleteLifecycleAction"]
    said = cluster.log(f"{INSTANCE}-0")
    assert f"Ending: spot. Draining {INSTANCE}-0 within 100 s" in said
    assert "Drained: 100 results handed over" in said
    assert client.wait(60) == 0, cluster.log("client")
    assert "all there" in cluster.log("client")
