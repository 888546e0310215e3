"""A boot that fails, at each of its steps: what it says, where, and what it asks of AWS then."""

from __future__ import annotations

import json
import socket
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from components.boot import TEMPLATE
from components.settings import ports
from tests.boot import hosts
from tests.boot.machine import INSTANCE, Machine

if TYPE_CHECKING:
    from pathlib import Path

    from components.boot import SchedulerHost, WorkerHost

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosts run Linux")

REPORT = ["ssm get-parameter", "ssm put-parameter", "logs create-log-stream", "logs put-log-events"]
UNHEALTHY = "autoscaling set-instance-health"
ABANDON = "autoscaling complete-lifecycle-action"
SUSPEND = "autoscaling suspend-processes"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, and how it is told."""

    step: str
    reason: str
    faults: dict[str, int] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    host: SchedulerHost | WorkerHost = hosts.WORKER
    os_id: str = "amzn"
    wrong_archive: bool = False
    little_memory: bool = False
    code: int = 1


def fails(*calls: str) -> dict[str, int]:
    return dict.fromkeys(calls, -1)


NVME = hosts.other(hosts.WORKER, spill_to_nvme=True)
EFS = hosts.other(hosts.WORKER, efs=hosts.HPC_WORKER.efs)
LUSTRE = hosts.other(hosts.WORKER, lustre=hosts.HPC_WORKER.lustre)
IMDS = {"tags/instance/dask-cluster:lifetime": "500"}
NO_SECRET = "the secret is no JSON with authority, certificate and key"  # noqa: S105

FAULTS = {
    "no metadata": Fault("instance", "It failed", fails("curl"), code=9),
    "no archive": Fault("archive", "It failed", fails("aws s3")),
    "another archive": Fault("checksum", "It failed", wrong_archive=True),
    "no registry": Fault(
        "packages", "the system packages cannot be installed: python3.12", fails("dnf")
    ),
    "another system": Fault("packages", "this host runs 'ubuntu': only Amazon", os_id="ubuntu"),
    "no Lustre on Debian": Fault(
        "packages", "this distribution has no package for: lustre", host=LUSTRE, os_id="debian"
    ),
    "no user": Fault("user", "It failed", fails("useradd"), code=9),
    "another environment": Fault(
        "environment",
        "the archive makes environment ffffffffffffffff here, and 0123456789abcdef was asked for",
        files={"identity": "ffffffffffffffff\n"},
    ),
    "no build": Fault(
        "environment",
        "the environment 0123456789abcdef could not be built",
        files={"broken-build": ""},
    ),
    "no folder": Fault("configuration", "It failed", fails("chown"), code=9),
    "no systemd": Fault("units", "It failed", fails("systemctl daemon-reload"), code=9),
    "no agent": Fault("logs", "It failed", fails("amazon-cloudwatch-agent-ctl"), code=9),
    "no unit": Fault("prepare", "It failed", fails("systemctl start"), code=9),
    "no access to the secret": Fault(
        "certificates",
        "the certificate cannot be read from the secret arn:aws:",
        fails("aws secretsmanager"),
    ),
    "an odd secret": Fault(
        "certificates",
        "the certificate cannot be read",
        files={"secret.json": '{"key": "PRIVATE"}'},
    ),
    "no local disk": Fault("storage", "spillToNvme: this type of instance has no", host=NVME),
    "no EFS": Fault(
        "storage", "the file system of /efs cannot be mounted", fails("mount"), host=EFS
    ),
    "no Lustre": Fault(
        "storage", "the file system of /fsx cannot be mounted", fails("mount"), host=LUSTRE
    ),
    "no tags": Fault("settings", "the lifetime cannot be read from the tags", metadata=IMDS),
    "a small machine": Fault(
        "settings", "500000 KiB of memory are too little for 1", little_memory=True
    ),
    "no start": Fault("start", "It failed", fails("systemctl enable --now"), code=9),
}


def boot(folder: Path, fault: Fault, **parameter: object) -> Machine:
    machine = Machine(folder, fault.host, fault.os_id)
    if fault.little_memory:
        (machine.root / "proc" / "meminfo").write_text("MemTotal: 500000 kB\n")
    machine.faults |= fault.faults
    machine.metadata |= fault.metadata
    for name, text in fault.files.items():
        machine.put(name, text)
    machine.put("parameter.json", json.dumps(parameter))
    assert machine.boot(wrong_archive=fault.wrong_archive) == fault.code, machine.log
    return machine


def told(machine: Machine) -> list[str]:
    """Return what AWS was asked for to tell of the failure, in order."""
    calls = machine.operations()
    return calls[calls.index("ssm get-parameter") :]


@pytest.mark.parametrize("name", FAULTS)
def test_a_failure_names_its_step_and_reason(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    machine = boot(tmp_path, fault)
    assert told(machine) == [*REPORT, UNHEALTHY]
    said = machine.parameter()
    assert said.keys() == {"instance", "ok", "failures", "reason", "log", "at"}
    assert said["instance"] == ("" if fault.step == "instance" else INSTANCE)
    assert (said["ok"], said["failures"]) == (False, 1)
    assert fault.reason in said["reason"]
    assert said["reason"].endswith(f" (step {fault.step}, exit code {fault.code})")
    assert f"== {fault.step}" in said["log"]
    # Nothing was started, but by the step that starts.
    started = machine.calls("systemctl", "enable", "--now")
    assert bool(started) == (fault.step == "start")


def test_an_odd_secret_is_not_shown(tmp_path: Path) -> None:
    machine = boot(tmp_path, FAULTS["an odd secret"])
    assert NO_SECRET in machine.log
    assert "PRIVATE" not in machine.log
    assert not (machine.root / "run/dask/tls/key.pem").exists()


def test_what_is_told_of_a_worker(tmp_path: Path) -> None:
    machine = boot(tmp_path, FAULTS["no user"])
    for call in machine.calls("aws", "ssm"):
        assert call[call.index("--name") + 1] == "/dask-cluster/dev/worker/boot"
    assert machine.calls("aws", "autoscaling")[0][2:] == [
        "set-instance-health",
        "--instance-id",
        INSTANCE,
        "--health-status",
        "Unhealthy",
        "--no-should-respect-grace-period",
        "--output",
        "text",
    ]
    at = time.strptime(machine.parameter()["at"], "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.mktime(at) - time.timezone - time.time()) < 60 or at.tm_isdst


def test_the_log_group_has_the_last_lines(tmp_path: Path) -> None:
    machine = boot(tmp_path, FAULTS["no user"])
    [create], [put] = (
        machine.calls("aws", "logs", o) for o in ("create-log-stream", "put-log-events")
    )
    stream = ["--log-group-name", "/dask-cluster/dev", "--log-stream-name", f"boot/{INSTANCE}"]
    assert create[3:7] == put[3:7] == stream
    events = json.loads(put[put.index("--log-events") + 1])
    lines = [event["message"] for event in events]
    assert lines[-2:] == ["== user", "useradd: this fails"]
    assert abs(events[-1]["timestamp"] / 1000 - time.time()) < 60


@pytest.mark.parametrize(("before", "suspends"), [(0, False), (1, False), (2, True), (7, True)])
def test_the_third_failure_in_a_row_ends_the_launches(
    before: int, tmp_path: Path, *, suspends: bool
) -> None:
    machine = boot(tmp_path, FAULTS["no user"], failures=before, ok=False)
    assert machine.parameter()["failures"] == before + 1
    # The reason first, and the instance last: it is gone soon after.
    assert told(machine) == [*REPORT, *([SUSPEND] if suspends else []), UNHEALTHY]
    if suspends:
        [call] = machine.calls("aws", "autoscaling", "suspend-processes")
        group = ["--auto-scaling-group-name", "dev-worker", "--scaling-processes", "Launch"]
        assert call[3:7] == group


@pytest.mark.parametrize("before", ["", "None", "[]", '"x"'])
def test_a_parameter_that_is_odd_counts_from_one(before: str, tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.faults = fails("useradd")
    machine.put("parameter.json", before)
    machine.boot()
    assert machine.parameter()["failures"] == 1
    assert told(machine) == [*REPORT, UNHEALTHY]


def test_what_cannot_be_told_keeps_nothing_else_from_being_done(tmp_path: Path) -> None:
    fault = FAULTS["no user"]
    machine = boot(tmp_path, replace(fault, faults=fault.faults | fails("aws ssm", "aws logs")))
    assert told(machine) == [*REPORT, UNHEALTHY]


LONG_LOG = """\
#!/bin/bash
for n in {1..80}; do echo "$n \U0001f9ea \\"$(seq -s ' ' 90)" >&2; done
exit 6
"""


def test_a_long_log_is_cut_to_fit(tmp_path: Path) -> None:
    machine = Machine(tmp_path, hosts.WORKER)
    machine.files["environment/install.sh"] = LONG_LOG
    assert machine.boot() == 6
    value = machine.calls("aws", "ssm", "put-parameter")[0]
    text = value[value.index("--value") + 1]
    assert 3900 < len(text.encode()) <= 4096
    said: dict[str, Any] = json.loads(text)
    assert said["log"].splitlines()[-1].startswith("80 ")
    assert said["reason"] == "It failed (step environment, exit code 6)"
    put = machine.calls("aws", "logs", "put-log-events")[0]
    events = json.loads(put[put.index("--log-events") + 1])
    assert [event["message"].split()[0] for event in events] == [str(n) for n in range(31, 81)]


# A step that hangs is ended by the limit of the whole; here the limit is made short.
def test_a_boot_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = tmp_path / "template"
    text = TEMPLATE.read_text()
    assert text.count("timeout -k 5 400 ") == 1
    template.write_text(text.replace("timeout -k 5 400 ", "timeout -k 5 1 "))
    monkeypatch.setattr("tests.boot.machine.TEMPLATE", template)
    machine = Machine(tmp_path, hosts.WORKER)
    machine.files["environment/install.sh"] = "#!/bin/bash\nsleep 60\n"
    (machine.bin / "sleep").unlink()
    assert machine.boot() == 124
    assert machine.parameter()["reason"] == "It failed (step environment, exit code 124)"
    assert told(machine) == [*REPORT, UNHEALTHY]


def scheduler(folder: Path, monkeypatch: pytest.MonkeyPatch, *, listens: bool) -> Machine:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        if listens:
            free.listen()
        monkeypatch.setattr(ports, "SCHEDULER", free.getsockname()[1])
        machine = Machine(folder, hosts.SCHEDULER)
        machine.variables["DASK_CLUSTER_LISTEN_SECONDS"] = "1"
        if listens:
            machine.faults = fails("aws route53")
        machine.add("var/log/dask/dask.log").write_text("a line of Dask\n")
        assert machine.boot() == 1
    return machine


def test_a_scheduler_that_does_not_listen_is_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = scheduler(tmp_path, monkeypatch, listens=False)
    assert told(machine) == [*REPORT, ABANDON]
    assert machine.calls("aws", "route53") == []  # the name leads nowhere new
    said = machine.parameter()
    assert said["reason"] == ("the scheduler does not listen after 1 s (step listen, exit code 1)")
    assert "a line of Dask" in said["log"]
    [call] = machine.calls("aws", "autoscaling")
    assert call[call.index("--lifecycle-action-result") + 1] == "ABANDON"
    assert call[call.index("--lifecycle-hook-name") + 1] == "boot"
    assert call[call.index("--auto-scaling-group-name") + 1] == "dev-scheduler"


def test_a_scheduler_whose_name_cannot_be_set_is_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = scheduler(tmp_path, monkeypatch, listens=True)
    assert told(machine) == [*REPORT, ABANDON]
    assert "(step record, " in machine.parameter()["reason"]
