"""The watch of a host: what it sees in the metadata, leaves for the drain, and calls."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dask_node.aws.imds import Metadata
from dask_node.aws.watch import REBALANCE, SPOT, STATE, Host, Watch
from tests.environment.built import wait_for
from tests.node.auto_scaling import error
from tests.node.aws_calls import REGION, Calls
from tests.node.imds import FakeMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTANCE, GROUP = "i-0123456789abcdef0", "dev-worker"
DRAIN_SECONDS = 900.0
HOOK = {"AutoScalingGroupName": GROUP, "LifecycleHookName": "drain", "InstanceId": INSTANCE}
COMPLETED = HOOK | {"LifecycleActionResult": "CONTINUE"}
NODE = Path(__file__).parent.parent.parent / "images" / "node"

# As systemd does it: tell the unit's main process, and come back when it has ended. It fails if
# the notice is not there before the unit is told.
SYSTEMCTL = """\
#!/bin/bash
echo "$*" >>"$MACHINE/systemctl.log"
[[ -e $MACHINE/notice.json && -e $MACHINE/draining ]] || exit 3
kill -TERM "$(cat "$MACHINE/pid")"
while kill -0 "$(cat "$MACHINE/pid")" 2>/dev/null; do sleep 0.02; done
"""

# It takes until `done` is there to end.
WORKER = """\
trap 'until [[ -e done ]]; do sleep 0.02; done; exit 0' TERM
touch up
while :; do sleep 0.02; done
"""


class Machine:
    """A host whose worker unit is one real process."""

    def __init__(self, folder: Path, metadata: FakeMetadata) -> None:
        self.folder = folder
        self.metadata = metadata
        self.aws = Calls()
        self.worker = subprocess.Popen(["bash", "-c", WORKER], cwd=folder)
        (folder / "pid").write_text(str(self.worker.pid))
        # A process that has ended has to be waited for, or it looks alive.
        self._reaper = threading.Thread(target=self.worker.wait)
        self._reaper.start()
        wait_for((folder / "up").exists, "the worker")
        self._watch: threading.Thread | None = None

    def watch(self, role: str = "worker", *, seconds: float = DRAIN_SECONDS) -> None:
        host = Host(role, REGION, GROUP, INSTANCE, seconds, self.folder / "notice.json")
        ours = Watch(host, poll=0.02, beat=0.2)
        self._watch = threading.Thread(target=ours.run)
        self._watch.start()

    def notice(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "notice.json").read_text())
        return found

    def told(self) -> bool:
        return (self.folder / "systemctl.log").exists()

    def end_worker(self) -> None:
        (self.folder / "done").touch()

    def wait(self) -> None:
        """Wait until the watch is done."""
        assert self._watch is not None
        self._watch.join(20)
        assert not self._watch.is_alive()

    def close(self) -> None:
        self.metadata.items[STATE] = "Terminated"
        self.aws.broken.clear()
        self.worker.kill()
        self._reaper.join()
        if self._watch is not None:
            self.wait()


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMetadata]:
    with FakeMetadata() as service:
        service.items[STATE] = "InService"
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.endpoint)
        yield service


@pytest.fixture
def machine(
    tmp_path: Path, metadata: FakeMetadata, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    command = tmp_path / "bin" / "systemctl"
    command.parent.mkdir()
    command.write_text(SYSTEMCTL)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("MACHINE", str(tmp_path))
    ours = Machine(tmp_path, metadata)
    monkeypatch.setattr("dask_node.aws.watch.client", ours.aws.client)
    try:
        yield ours
    finally:
        ours.close()


def looked(metadata: FakeMetadata) -> None:
    """Wait until the watch has looked a few times more."""
    metadata.asked.clear()
    wait_for(lambda: metadata.asked.count(STATE) > 3, "some looks")


def test_nothing_happens_while_the_instance_stays(machine: Machine) -> None:
    machine.watch()
    looked(machine.metadata)
    assert machine.aws.made == []
    assert not (machine.folder / "notice.json").exists()
    assert not (machine.folder / "draining").exists()
    assert machine.worker.poll() is None


def test_the_end_by_the_group_waits_for_the_workers(machine: Machine) -> None:
    machine.watch()
    looked(machine.metadata)
    machine.metadata.items[STATE] = "Terminated"
    wait_for(machine.told, "the stop of the unit")
    assert machine.notice() == {"reason": "auto scaling", "seconds": DRAIN_SECONDS}
    assert (machine.folder / "draining").exists()
    assert (machine.folder / "systemctl.log").read_text() == "stop dask-worker.service\n"
    # The hook is held for as long as the workers need, and ended only then.
    beats = "RecordLifecycleActionHeartbeat"
    wait_for(lambda: len(machine.aws.of(beats)) >= 2, "two heartbeats")
    assert machine.aws.of(beats)[0] == HOOK
    assert machine.aws.of("CompleteLifecycleAction") == []
    machine.end_worker()
    machine.wait()
    assert machine.aws.of("CompleteLifecycleAction") == [COMPLETED]
    assert machine.aws.names()[-1] == "CompleteLifecycleAction"
    assert machine.worker.returncode == 0


def test_heartbeats_are_not_sent_too_often(machine: Machine) -> None:
    machine.metadata.items[STATE] = "Terminated"
    began = time.monotonic()
    machine.watch()
    beats = "RecordLifecycleActionHeartbeat"
    wait_for(lambda: len(machine.aws.of(beats)) >= 3, "three heartbeats")
    sent = len(machine.aws.of(beats))
    assert time.monotonic() - began >= sent * 0.2


def test_a_spot_notice_leaves_100_seconds(machine: Machine) -> None:
    machine.metadata.items[SPOT] = '{"action": "terminate", "time": "2026-11-21T10:00:00Z"}'
    machine.watch()
    wait_for(machine.told, "the stop of the unit")
    assert machine.notice() == {"reason": "spot", "seconds": 100.0}
    time.sleep(0.4)  # of two heartbeats
    machine.end_worker()
    wait_for(lambda: machine.worker.poll() is not None, "the end of the worker")
    looked(machine.metadata)
    # No hook holds an instance that EC2 takes: there is none to end until its group ends it too.
    assert machine.aws.made == []
    machine.metadata.items[STATE] = "Terminated"
    machine.wait()
    assert machine.aws.made == [("CompleteLifecycleAction", COMPLETED)]


def test_a_deadline_that_is_shorter_than_a_spot_notice_stays(machine: Machine) -> None:
    machine.metadata.items[SPOT] = '{"action": "terminate"}'
    machine.watch(seconds=30.0)
    wait_for(machine.told, "the stop of the unit")
    assert machine.notice() == {"reason": "spot", "seconds": 30.0}


def test_of_both_at_once_the_spot_notice_counts(machine: Machine) -> None:
    machine.metadata.items |= {STATE: "Terminated", SPOT: '{"action": "terminate"}'}
    machine.watch()
    wait_for(machine.told, "the stop of the unit")
    assert machine.notice()["reason"] == "spot"


def test_a_rebalance_recommendation_is_only_logged(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.metadata.items[REBALANCE] = '{"noticeTime": "2026-11-21T10:00:00Z"}'
    with caplog.at_level(logging.INFO, "dask_node.aws.watch"):
        machine.watch()
        looked(machine.metadata)
    assert [r.getMessage() for r in caplog.records].count(
        f"{REBALANCE}: {machine.metadata.items[REBALANCE]}"
    ) == 1
    assert not machine.told()


def test_a_scheduler_host_may_go_at_once(machine: Machine) -> None:
    machine.metadata.items[STATE] = "Terminated"
    machine.watch("scheduler")
    machine.wait()
    assert machine.aws.made == [("CompleteLifecycleAction", COMPLETED)]
    assert not machine.told()
    assert not (machine.folder / "draining").exists()


def test_a_hook_that_cannot_be_ended_is_ended_later(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    complete = "CompleteLifecycleAction"
    machine.aws.broken[complete] = error(complete, "No active Lifecycle Action found")
    machine.metadata.items[STATE] = "Terminated"
    machine.watch("scheduler")
    wait_for(lambda: len(machine.aws.of(complete)) > 3, "some attempts")
    assert sum("No active Lifecycle Action" in r.getMessage() for r in caplog.records) == 1
    machine.aws.broken.clear()
    machine.wait()


def test_metadata_that_does_not_answer_is_waited_for(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.metadata.token = "another"  # noqa: S105
    machine.watch()
    looked(machine.metadata)  # with the new token
    machine.metadata.token = "a third"  # noqa: S105
    machine.metadata.items[STATE] = "Terminated"
    wait_for(machine.told, "the stop of the unit")
    assert machine.metadata.refused > 0
    assert any("metadata cannot be read" in r.getMessage() for r in caplog.records)


def test_items_of_the_metadata(metadata: FakeMetadata) -> None:
    ours = Metadata()
    assert ours.read(STATE) == "InService"
    assert ours.read("tags/instance/none") is None
    assert metadata.refused == 0


@pytest.mark.usefixtures("metadata")
def test_no_proxy_stands_before_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert Metadata().read(STATE) == "InService"


def test_the_program_reads_the_variables_of_the_units(
    metadata: FakeMetadata, tmp_path: Path
) -> None:
    """As a process, with the variables that prepare.sh writes; SIGTERM ends it."""
    variables = {
        "PYTHONPATH": str(NODE),
        "PATH": os.environ["PATH"],
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "DASK_CLUSTER_ROLE": "worker",
        "DASK_CLUSTER_AUTO_SCALING_GROUP": GROUP,
        "DASK_CLUSTER_PLACE": INSTANCE,
        "DASK_CLUSTER_DRAIN_SECONDS": "900",
        "DASK_CLUSTER_NOTICE": str(tmp_path / "notice.json"),
    }
    metadata.items[REBALANCE] = "soon"
    command = [sys.executable, "-m", "dask_node.aws.watch"]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(f"INFO - {REBALANCE}: soon\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM


def test_a_variable_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_CLUSTER_ROLE", raising=False)
    with pytest.raises(KeyError, match="DASK_CLUSTER_ROLE"):
        Host.of_variables()
