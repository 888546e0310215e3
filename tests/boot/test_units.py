"""The units of a host: what systemd makes of them, and the lines on which a drain depends."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

UNITS = Path("images") / "host" / "units"
NAMES = ("dask-host", "dask-scheduler", "dask-watch", "dask-worker")
PYTHON = "/opt/dask-cluster/current/bin/python"
DASK = ("dask-scheduler", "dask-worker")


def unit(name: str) -> dict[str, list[str]]:
    """Return the values by `Section.Key`; a key may stand more than once."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    section = ""
    for line in (UNITS / f"{name}.service").read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[f"{section}.{key}"].append(value)
    return dict(found)


def test_all_units_are_known() -> None:
    assert sorted(path.stem for path in UNITS.iterdir()) == sorted(NAMES)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        # The programs are not on this machine.
        text = path.read_text().replace(PYTHON, sys.executable)
        (tmp_path / path.name).write_text(text.replace("User=dask", "").replace("Group=dask", ""))
    files = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run(
        ["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_worker_drains_before_it_ends_and_stays_down_when_it_was_told_to() -> None:
    worker = unit("dask-worker")
    # Only the nanny gets SIGTERM. How long it may take is written at boot, after the settings.
    assert worker["Service.KillMode"] == ["mixed"]
    assert "Service.TimeoutStopSec" not in worker
    assert worker["Service.Restart"] == ["always"]
    assert worker["Service.RestartPreventExitStatus"] == ["0"]
    assert worker["Unit.ConditionPathExists"] == ["!/run/dask/draining"]
    assert worker["Service.OOMPolicy"] == ["continue"]
    assert worker["Service.LimitMEMLOCK"] == ["infinity"]
    assert "-m dask_node.worker $DASK_CLUSTER_ARGUMENTS" in worker["Service.ExecStart"][0]


def test_a_scheduler_always_comes_back() -> None:
    scheduler = unit("dask-scheduler")
    assert scheduler["Service.Restart"] == ["always"]
    assert "Service.RestartPreventExitStatus" not in scheduler
    assert scheduler["Service.ExecStart"] == [f"{PYTHON} -m dask scheduler $DASK_CLUSTER_ARGUMENTS"]


def test_the_watch_ends_once_the_instance_may_go() -> None:
    watch = unit("dask-watch")
    assert watch["Service.ExecStart"] == [f"{PYTHON} -m dask_node.aws.watch"]
    assert watch["Service.Restart"] == ["always"]
    assert watch["Service.RestartPreventExitStatus"] == ["0"]
    assert "Service.User" not in watch  # it stops a unit


@pytest.mark.parametrize("name", DASK)
def test_dask_runs_as_nobody_else_with_enough_files(name: str) -> None:
    found = unit(name)
    assert found["Service.User"] == found["Service.Group"] == ["dask"]
    assert found["Service.LimitNOFILE"] == ["65536"]
    assert found["Service.TasksMax"] == ["infinity"]
    for key in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "ProtectKernelTunables"):
        assert found[f"Service.{key}"] == ["yes"]
    assert found["Service.ProtectSystem"] == ["full"]
    assert found["Service.StandardOutput"] == ["append:/var/log/dask/dask.log"]


@pytest.mark.parametrize("name", ["dask-scheduler", "dask-watch", "dask-worker"])
def test_a_unit_waits_for_its_host_and_is_never_given_up(name: str) -> None:
    found = unit(name)
    assert found["Unit.Requires"] == ["dask-host.service"]
    assert found["Unit.After"][0].split()[0] == "dask-host.service"
    assert found["Unit.StartLimitIntervalSec"] == ["0"]
    assert found["Service.EnvironmentFile"] == ["/etc/dask-cluster/dask.env"]
    assert found["Install.WantedBy"] == ["multi-user.target"]


def test_the_host_is_prepared_at_each_start_within_its_time() -> None:
    host = unit("dask-host")
    assert host["Service.ExecStart"][0].endswith("/opt/dask-cluster/archive/host/prepare.sh")
    assert host["Service.RemainAfterExit"] == ["yes"]
    assert int(host["Service.TimeoutStartSec"][0]) < 400  # of the whole of boot.sh
    # The report of a failed boot reads this file.
    assert host["Service.StandardOutput"] == ["append:/var/log/dask-cluster-boot.log"]
