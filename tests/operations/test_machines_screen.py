"""What `status` and `doctor` say of a cluster on AWS, one thing at a time."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from operations import machines_doctor, machines_screen
from operations.machines import FailedBoot, Group, View
from tests.operations.project import IDENTITY, OUTPUTS

NOW = dt.datetime(2026, 11, 21, 18, 30, tzinfo=dt.UTC)
SCHEDULER = Group(
    "scheduler",
    "dask-cluster-dev-scheduler",
    wanted=1,
    ceiling=1,
    in_service=("i-0a",),
    registered=1,
)
WORKER = Group(
    "worker",
    "dask-cluster-dev-worker",
    workers=4,
    wanted=4,
    ceiling=40,
    in_service=("i-1", "i-2", "i-3", "i-4"),
    bought="spot above 2",
    registered=4,
)
WELL = View(
    at=NOW,
    scheduler=SCHEDULER,
    groups=[WORKER],
    reporter="i-0a",
    since="2026-11-21T18:00:00+00:00",
    environment=IDENTITY,
    expected=IDENTITY,
)
BOOT = FailedBoot("i-9", 3, "the archive is another one", "line 1\nline 2", "2026-11-21T18:20:00Z")


def worker(**changes: Any) -> View:  # noqa: ANN401
    return replace(WELL, groups=[replace(WORKER, **changes)])


def scheduler(**changes: Any) -> View:  # noqa: ANN401
    return replace(WELL, scheduler=replace(SCHEDULER, **changes))


def shown(view: View, width: int = 80) -> str:
    text = io.StringIO()
    machines_screen.show(Console(file=text, width=width), "dev", OUTPUTS, view)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def test_a_cluster_without_a_fault() -> None:
    assert machines_screen.faults(WELL) == []
    assert (
        shown(WELL)
        == """
Dask cluster dev  running
  Scheduler    tls://scheduler.dev.dask-cluster.internal:8786
  Runs on      i-0a since 2026-11-21 18:00 UTC
  Environment  0123456789abcdef
  Region       us-east-2

  Group      wanted  max  in service  starting  ending  registered  bought
  scheduler       1    1           1         0       0           1  on demand
  worker          4   40           4         0       0           4  spot above 2"""
    )


def test_a_stopped_cluster_is_no_fault() -> None:
    view = worker(wanted=0, in_service=(), registered=0, ending=3)
    assert machines_screen.faults(view) == []
    assert (
        shown(view, 120)
        == """
Dask cluster dev  stopped
  Scheduler    tls://scheduler.dev.dask-cluster.internal:8786
  Runs on      i-0a since 2026-11-21 18:00 UTC
  Environment  0123456789abcdef
  Region       us-east-2

  Group      wanted  max  in service  starting  ending  registered  bought
  scheduler       1    1           1         0       0           1  on demand
  worker          0   40           0         0       3           0  spot above 2
  stopped: group worker has none of its 4 workers. Work that arrives, or `up`, starts them.
  group worker: 3 end, and hand over their data first"""
    )


def test_a_fault_is_below_the_table() -> None:
    text = shown(worker(suspended=True), 120)
    assert "Dask cluster dev  not as it should be\n" in text
    assert text.endswith(
        "spot above 2\n"
        "  Group worker starts no machines: its process Launch is suspended. `up` resumes it."
    )


def test_a_wide_table_is_not_cut() -> None:
    view = replace(WELL, groups=[replace(WORKER, name="a-group-of-twenty-ch")])
    table = shown(view, 40)
    assert "  a-group-of-twenty-ch       4   40           4  " in table
    assert "registered  bought" in table


@pytest.mark.parametrize(
    ("view", "line"),
    [
        (scheduler(in_service=(), registered=0), "No scheduler is in service. None is starting."),
        (
            scheduler(in_service=(), registered=0, starting=1),
            "No scheduler is in service. One is starting.",
        ),
        (
            replace(WELL, reporter=None, environment=None, since=None),
            "The scheduler on i-0a has not reported.",
        ),
        (
            replace(WELL, reporter="i-0b"),
            "The scheduler on i-0a has not reported. The last report is by i-0b.",
        ),
        (
            replace(WELL, environment="fedcba9876543210"),
            (
                "The scheduler runs environment fedcba9876543210, and the stack's is "
                "0123456789abcdef. `up` puts it right."
            ),
        ),
        (
            worker(exists=False),
            "Group worker: AWS has no dask-cluster-dev-worker. `up` makes it.",
        ),
        (
            scheduler(exists=False),
            "Group scheduler: AWS has no dask-cluster-dev-scheduler. `up` makes it.",
        ),
        (
            worker(suspended=True),
            "Group worker starts no machines: its process Launch is suspended. `up` resumes it.",
        ),
        (
            worker(failed_boot=BOOT),
            "Group worker: 3 boots in a row failed, on i-9: the archive is another one",
        ),
        (
            worker(failed_boot=replace(BOOT, failures=1)),
            "Group worker: the last boot failed, on i-9: the archive is another one",
        ),
        (
            worker(in_service=("i-1",), registered=1, starting=1, failed_activity="no capacity"),
            "Group worker lacks 2 of 4: no capacity",
        ),
        (
            worker(wanted=2),
            "Group worker is to have 2 machines now, and the stack says 4. `up` puts it right.",
        ),
        (
            worker(registered=1),
            "Group worker: 3 of 4 machines in service are not registered with the scheduler.",
        ),
        (
            worker(registered=1, launched=(NOW - dt.timedelta(minutes=11)).isoformat()),
            "Group worker: 3 of 4 machines in service are not registered with the scheduler.",
        ),
    ],
)
def test_one_fault(view: View, line: str) -> None:
    assert machines_screen.faults(view) == [line]
    assert line in shown(view, 200)
    assert "not as it should be" in shown(view)


@pytest.mark.parametrize(
    ("view", "lines"),
    [
        (WELL, []),
        (worker(ending=2), ["group worker: 2 end, and hand over their data first"]),
        (
            worker(in_service=("i-1", "i-2"), starting=1, registered=2),
            ["group worker: 2 start"],
        ),
        (
            worker(registered=1, launched=(NOW - dt.timedelta(minutes=9)).isoformat()),
            ["group worker: 3 boot, and have not registered yet"],
        ),
        (
            worker(wanted=0, in_service=(), registered=0, failed_activity="no capacity"),
            [
                (
                    "stopped: group worker has none of its 4 workers. Work that arrives, or `up`, "
                    "starts them. The last launch failed: no capacity"
                )
            ],
        ),
        (worker(wanted=0, workers=0, in_service=(), registered=0), []),
    ],
)
def test_what_happens_is_no_fault(view: View, lines: list[str]) -> None:
    assert machines_screen.notes(view) == lines
    assert machines_screen.faults(view) == []


def test_without_a_scheduler_nobody_speaks_of_workers() -> None:
    view = replace(WELL, reporter=None, groups=[replace(WORKER, registered=0)])
    assert machines_screen.faults(view) == ["The scheduler on i-0a has not reported."]
    assert machines_screen.notes(view) == []


def test_one_group_of_two_is_stopped() -> None:
    other = replace(WORKER, name="big", wanted=0, in_service=(), registered=0)
    assert "Dask cluster dev  running" in shown(replace(WELL, groups=[WORKER, other]))


def findings(view: View, **outputs: str) -> list[tuple[bool, str]]:
    return list(machines_doctor.findings({**OUTPUTS, **outputs}, view))


@pytest.fixture
def _plugin(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "session-manager-plugin").touch(0o755)


@pytest.mark.usefixtures("_plugin")
def test_the_doctor_finds_nothing(tmp_path: Any) -> None:  # noqa: ANN401
    found = findings(WELL)
    assert all(well for well, _ in found)
    days = (
        dt.datetime.fromisoformat(OUTPUTS["certificates_expire"]) - dt.datetime.now(dt.UTC)
    ).days
    assert [line for _, line in found] == [
        "scheduler: on i-0a, with environment 0123456789abcdef",
        "group scheduler: 1 of 1 machines in service, 1 registered",
        "group worker: 4 of 4 machines in service, 4 registered",
        f"certificates: {days} days left; `up` renews them in the last 30",
        f"the way in, for `run`: {tmp_path}/session-manager-plugin",
    ]


@pytest.mark.usefixtures("_plugin")
def test_the_doctor_shows_the_log_of_a_boot() -> None:
    wrong = [line for well, line in findings(worker(failed_boot=BOOT)) if not well]
    assert wrong == [
        "Group worker: 3 boots in a row failed, on i-9: the archive is another one",
        "last lines of the boot of i-9, 2026-11-21T18:20:00Z:\n      line 1\n      line 2",
    ]


@pytest.mark.usefixtures("_plugin")
def test_the_doctor_and_a_stopped_group() -> None:
    found = findings(worker(wanted=0, in_service=(), registered=0))
    assert (True, "group worker: stopped, of 4, 0 registered") in found


def test_the_doctor_misses_certificates_and_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=5)).isoformat()
    wrong = [line for well, line in findings(WELL, certificates_expire=soon) if not well]
    assert wrong == [
        "certificates: 0 days left; `up` renews them in the last 30",
        (
            "the way in, for `run`: there is no `session-manager-plugin` on PATH: AWS's program "
            "that reaches a machine without an open port. Install it: https://docs.aws.amazon.com/"
            "systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
        ),
    ]


def test_the_doctor_names_a_fault_of_the_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    lines = [line for well, line in findings(replace(WELL, reporter="i-0b")) if not well]
    assert lines[0] == (
        "scheduler: The scheduler on i-0a has not reported. The last report is by i-0b."
    )
