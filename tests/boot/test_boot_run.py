"""The user data, really run: what a fresh machine becomes."""

from __future__ import annotations

import json
import socket
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from components.settings import ports
from tests.boot import hosts
from tests.boot.machine import INSTANCE, KIB, PEM, Machine, cpus, environment_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosts run Linux")

BEFORE = ["instance", "archive", "checksum", "packages", "user", "environment", "configuration",
          "units", "logs", "prepare", "certificates", "storage", "settings", "start"]  # fmt: skip


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port on which somebody listens, as the scheduler's."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        monkeypatch.setattr(ports, "SCHEDULER", port)
        yield port


def test_a_worker(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    assert machine.boot() == 0, machine.log
    assert machine.steps() == [*BEFORE, "outcome"]
    assert machine.operations() == [
        "s3 cp",
        "secretsmanager get-secret-value",
        "ssm get-parameter",
    ]
    assert machine.parameter() == {}  # nothing had failed before
    archive = machine.calls("aws", "s3", "cp")[0][-2]
    assert archive.startswith("s3://dev-archive-0a1b2c3/archive/")
    assert machine.calls("systemctl") == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "dask-host.service"],
        ["systemctl", "start", "dask-host.service"],
        ["systemctl", "enable", "--now", "dask-worker.service", "dask-watch.service"],
    ]
    assert machine.read("etc/dask/dask.yaml") == "a: 1\n"
    assert machine.calls("useradd")[0][1:4] == ["--system", "--uid", "8786"]


def test_the_variables_of_a_worker(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.boot()
    found = environment_of(machine.read("etc/dask-cluster/dask.env"))
    arguments = found.pop("DASK_CLUSTER_ARGUMENTS").split()
    assert found == {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "DASK_CONFIG": "/etc/dask/dask.yaml",
        "DASK_CLUSTER_ROLE": "worker",
        "DASK_CLUSTER_GROUP": "worker",
        "DASK_CLUSTER_PLACE": INSTANCE,
        "DASK_CLUSTER_AUTO_SCALING_GROUP": "dev-worker",
        "DASK_CLUSTER_ENVIRONMENT": "0123456789abcdef",
        "DASK_CLUSTER_FLEET": "",
        "DASK_CLUSTER_DRAIN_SECONDS": "900",
        "DASK_CLUSTER_LIFETIME_SECONDS": "",
        "DASK_CLUSTER_NOTICE": "/run/dask/notice.json",
    }
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert int(options.pop("--memory-limit")) == _room(1)
    assert options == {
        "--name": f"{INSTANCE}-0",
        "--nworkers": "1",
        "--nthreads": str(cpus()),
        "--worker-port": "9000:9099",
        "--nanny-port": "9100:9199",
        "--dashboard-address": ":9200",
    }


def _room(processes: int) -> int:
    return (KIB * 1024 * 92 // 100 - 512 * 2**20) // processes


def _options(machine: Machine) -> dict[str, str]:
    found = environment_of(machine.read("etc/dask-cluster/dask.env"))
    words = found["DASK_CLUSTER_ARGUMENTS"].split()
    return dict(zip(words[::2], words[1::2], strict=True))


def test_a_layout_is_kept_where_the_machine_has_room(tmp_path: Path) -> None:
    layout = {"processes": 2, "threads": 3, "memory": 2**28, "resources": {"GPU": 1.0, "a:b": 0.5}}
    machine = Machine(tmp_path, hosts.other(hosts.WORKER, **layout))
    assert machine.boot() == 0
    options = _options(machine)
    assert options["--name"] == INSTANCE  # Dask numbers them
    assert (options["--nworkers"], options["--nthreads"]) == ("2", "3")
    assert options["--memory-limit"] == str(2**28)
    assert options["--resources"] == "GPU=1,a:b=0.5"


def test_no_more_memory_is_given_than_there_is(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.other(hosts.WORKER, processes=2, memory=2**50))
    assert machine.boot() == 0
    assert int(_options(machine)["--memory-limit"]) == _room(2)
    assert _options(machine)["--nthreads"] == str(max(1, cpus() // 2))


def test_a_lifetime_is_a_tag_of_the_instance(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.metadata["tags/instance/dask-cluster:lifetime"] = "86400"
    assert machine.boot() == 0
    assert "DASK_CLUSTER_LIFETIME_SECONDS=86400\n" in machine.read("etc/dask-cluster/dask.env")


def test_certificates_are_for_dask_alone(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.boot()
    folder = machine.root / "run/dask/tls"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {path.name: path for path in folder.iterdir()}
    assert files.keys() == {"authority.pem", "certificate.pem", "key.pem"}
    for path in files.values():
        assert path.read_text() == PEM
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert ["chown", "-R", "dask:dask", str(folder)] in machine.calls("chown")
    secret = machine.calls("aws", "secretsmanager")[0]
    assert secret[secret.index("--secret-id") + 1] == hosts.WORKER.secret
    # Neither in the log nor in any argument.
    assert "BEGIN" not in machine.log
    assert all("BEGIN" not in word for call in machine.calls() for word in call)


def test_units_and_their_deadline(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.boot()
    units = machine.root / "etc/systemd/system"
    assert {path.name for path in units.glob("*.service")} == {
        "dask-host.service",
        "dask-scheduler.service",
        "dask-watch.service",
        "dask-worker.service",
    }
    drain = (units / "dask-worker.service.d" / "drain.conf").read_text()
    assert drain == "[Service]\nTimeoutStopSec=930\n"
    here = machine.root / "opt/dask-cluster"
    assert (here / "current").resolve() == here / "0123456789abcdef"
    assert (here / "archive").resolve() == next(here.glob("archive-*"))


def test_logs_go_to_a_stream_of_the_host(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.boot()
    file = machine.root / "opt/aws/amazon-cloudwatch-agent/etc/dask-cluster.json"
    found = json.loads(file.read_text())
    assert found["agent"] == {"region": "eu-west-1"}
    group = {"log_group_name": "/dask-cluster/dev"}
    stream = f"worker/{INSTANCE}"
    assert found["logs"]["logs_collected"]["files"]["collect_list"] == [
        {"file_path": "/var/log/dask/dask.log", "log_stream_name": stream, **group},
        {"file_path": "/var/log/dask/watch.log", "log_stream_name": f"{stream}/watch", **group},
    ]
    [agent] = machine.calls("amazon-cloudwatch-agent-ctl")
    assert agent[1:] == ["-a", "fetch-config", "-m", "ec2", "-s", "-c", f"file:{file}"]


PACKAGES = {
    "amzn": "python3.12 python3.12-pip ca-certificates awscli-2 logrotate amazon-cloudwatch-agent",
    "debian": "python3 python3-pip ca-certificates awscli logrotate",
}


@pytest.mark.parametrize(("os_id", "command"), [("amzn", "dnf"), ("debian", "apt-get")])
def test_packages_of_each_family(tmp_path: Path, os_id: str, command: str) -> None:
    machine = Machine(tmp_path, hosts.WORKER, os_id)
    assert machine.boot() == 0, machine.log
    call = machine.calls(command)[-1]
    assert call[call.index("install") + 1 :] == PACKAGES[os_id].split()
    other = {"dnf": "apt-get", "apt-get": "dnf"}[command]
    assert machine.calls(other) == []


def test_an_image_that_has_all_packages_asks_no_registry(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.put("installed", PACKAGES["amzn"].replace(" ", "\n"))
    assert machine.boot() == 0
    assert machine.calls("dnf") == []


def test_extra_packages_are_installed_with_the_others(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.files["extra.txt"] = "y==2\n"
    machine.boot()
    first, second = (machine.fakes / "install.log").read_text().splitlines()
    archive = next((machine.root / "opt/dask-cluster").glob("archive-*"))
    files = f"--requirements {archive}/requirements.txt --extra {archive}/extra.txt"
    options = f"--python python3.12 {files}"
    assert first == f"install.sh --identity {options}"
    assert second == f"install.sh {machine.root}/opt/dask-cluster/0123456789abcdef {options}"


def test_a_scheduler_is_found_and_said_to_be_up_when_it_listens(
    tmp_path: Path, listener: int
) -> None:
    machine = Machine(tmp_path, hosts.SCHEDULER)
    assert machine.boot() == 0, machine.log
    assert machine.steps() == [*BEFORE, "listen", "record", "outcome", "hook"]
    assert machine.operations()[-3:] == [
        "route53 change-resource-record-sets",
        "ssm put-parameter",
        "autoscaling complete-lifecycle-action",
    ]
    [record] = machine.calls("aws", "route53")
    assert record[record.index("--hosted-zone-id") + 1] == hosts.SCHEDULER.zone_id
    assert json.loads(record[-1]) == {
        "Changes": [
            {
                "Action": "UPSERT",
                "ResourceRecordSet": {
                    "Name": "scheduler.dev.dask-cluster.internal",
                    "Type": "A",
                    "TTL": 10,
                    "ResourceRecords": [{"Value": "10.0.1.7"}],
                },
            }
        ]
    }
    assert machine.calls("aws", "autoscaling")[0][3:] == [
        "--auto-scaling-group-name",
        "dev-scheduler",
        "--lifecycle-hook-name",
        "boot",
        "--instance-id",
        INSTANCE,
        "--lifecycle-action-result",
        "CONTINUE",
    ]
    found = environment_of(machine.read("etc/dask-cluster/dask.env"))
    assert found["DASK_CLUSTER_FLEET"] == "aws:eu-west-1/dev"
    expected = f"--protocol tls --port {listener} --dashboard-address :8787"
    assert found["DASK_CLUSTER_ARGUMENTS"] == expected
    said = machine.parameter()
    assert (said["instance"], said["ok"], said["failures"]) == (INSTANCE, True, 0)


def test_a_worker_that_comes_up_ends_a_row_of_failures(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.put("parameter.json", json.dumps({"ok": False, "failures": 2}))
    assert machine.boot() == 0
    assert (machine.parameter()["ok"], machine.parameter()["failures"]) == (True, 0)


def test_an_outcome_that_cannot_be_told_ends_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.faults = {"aws ssm get-parameter": -1}
    assert machine.boot() == 0
    assert "the outcome cannot be told" in machine.log


def test_what_fails_once_is_tried_again(tmp_path: Path, listener: int) -> None:
    del listener
    machine = Machine(tmp_path, hosts.SCHEDULER)
    machine.faults = {
        "aws s3 cp": 4,
        "dnf": 2,
        "aws secretsmanager": 2,
        "aws route53": 2,
        "aws autoscaling": 2,
    }
    assert machine.boot() == 0, machine.log
    assert len(machine.calls("aws", "s3", "cp")) == 5
    assert [call[1] for call in machine.calls("sleep")][:4] == ["1", "2", "3", "4"]


def test_a_second_start_of_the_machine_changes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.boot()
    before = machine.read("etc/dask-cluster/dask.env")
    assert machine.boot() == 0
    assert machine.read("etc/dask-cluster/dask.env") == before
