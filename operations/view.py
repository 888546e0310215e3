"""What a running cluster looks like from outside: its process table and the scheduler's report."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.local.process_table import ProcessTable

if TYPE_CHECKING:
    from collections.abc import Mapping

REPORT_SECONDS = 20
# What a scheduler without a scaler would say of one.
NO_FLEET: dict[str, Any] = {"groups": {}, "stopped": None}
START_SECONDS = 60  # a worker that the scaler has started may take this long to register


@dataclass(frozen=True)
class Process:
    """One line of the supervisor's process table.

    Attributes:
        name: ``scheduler``, or a worker such as ``worker-0``.
        state: Supervisord's word: RUNNING, STARTING, BACKOFF, FATAL ...
        pid: Number of the process, 0 if it does not run.
        uptime: Seconds since it was started, 0 if it does not run.
        log: Its log file.
    """

    name: str
    state: str
    pid: int
    uptime: int
    log: str

    @property
    def up(self) -> bool:
        """Whether it runs: started within the last seconds, or ending, too."""
        return self.state in {"RUNNING", "STARTING", "STOPPING"}

    @property
    def down(self) -> bool:
        """Whether somebody stopped it, or told it to end: it is not started again by itself."""
        return self.state in {"STOPPED", "EXITED"}


@dataclass(frozen=True)
class View:
    """A cluster as it is now.

    Attributes:
        supervisor: Whether the supervisor answers.
        processes: The process table; empty without a supervisor.
        report: What ``python -m dask_node.report`` printed: the scheduler's view.
        error: Why there is no report, or None.
        scaled: The groups of workers whose number the scaler decides: at least and at most.
    """

    supervisor: bool
    processes: list[Process] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    scaled: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def fleet(self) -> dict[str, Any]:
        """What the scaler says: ``groups`` by name, and why the workers are ``stopped``."""
        return self.report.get("fleet") or NO_FLEET

    @property
    def amiss(self) -> list[Process]:
        """The processes that ought to run and do not."""
        return [p for p in self.processes if not p.up and not (p.down and self._is_free(p))]

    def ought_to_register(self, process: Process) -> bool:
        """Say whether a process should be among the scheduler's workers by now."""
        if process.name == "scheduler" or process.state not in {"RUNNING", "STARTING"}:
            return False
        if self.fleet["stopped"]:
            return False
        return process.uptime > START_SECONDS or not self._is_free(process)

    def _is_free(self, process: Process) -> bool:
        """Say whether the scaler, or an idle stop, may have stopped this process."""
        return process.name.rpartition("-")[0] in self.scaled or bool(self.fleet["stopped"])

    def as_json(self) -> dict[str, Any]:
        """Return the view as plain data."""
        return asdict(self) | {"scaled": sorted(self.scaled)}


def client_environment(outputs: dict[str, Any]) -> dict[str, str]:
    """Return the variables with which a bare ``Client()`` connects to a cluster of this machine.

    Args:
        outputs: The stack's outputs.
    """
    return variables(
        Path(outputs["environment_folder"]),
        outputs["environment"],
        Path(outputs["folder"]) / "dask.yaml",
    )


def variables(environment: Path, identity: str, configuration: Path) -> dict[str, str]:
    """Return the variables of a command that runs in a cluster's environment.

    Args:
        environment: Where it is built.
        identity: Its identity, which the client tells the scheduler.
        configuration: Dask's, with address and certificates: a file, or a folder of some.

    Returns:
        The caller's variables with these in their place.
    """
    # A DASK_ variable of the person's shell would override the cluster's file.
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DASK_")}
    return kept | {
        "PATH": f"{environment / 'bin'}:{kept.get('PATH', '/usr/bin:/bin')}",
        "VIRTUAL_ENV": str(environment),
        "DASK_CONFIG": str(configuration),
        "DASK_CLUSTER_ENVIRONMENT": identity,
    }


def look(outputs: dict[str, Any]) -> View:
    """Look at the cluster of a stack, through its supervisor and its scheduler."""
    # In this order: a worker that is stopped between the two is still in the report and not missed.
    report = _report(outputs)
    table = process_table(Path(outputs["folder"]))
    return View(
        supervisor=table is not None,
        processes=table or [],
        report=report if "error" not in report else {},
        error=report.get("error"),
        scaled=_scaled_groups(Path(outputs["folder"])),
    )


def _scaled_groups(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the bounds of the groups that have a `maxWorkers`, as the last `up` wrote them down.

    The scaler itself says so only after its next look.
    """
    groups = [path for path in (folder / "fleet").glob("*.json") if path.name != "cluster.json"]
    told = {path.stem: json.loads(path.read_text()) for path in groups}
    return {
        name: (group["workers"], group["maxWorkers"])
        for name, group in told.items()
        if group["maxWorkers"]
    }


def process_table(folder: Path) -> list[Process] | None:
    """Return the supervisor's process table, or None if no supervisor answers."""
    table = ProcessTable(folder)
    if not table.alive():
        return None
    return [
        Process(
            name=name,
            state=row["statename"],
            pid=row["pid"],
            uptime=row["now"] - row["start"] if row["pid"] else 0,
            log=row["stdout_logfile"],
        )
        for name, row in table.states().items()
    ]


def _report(outputs: dict[str, Any]) -> dict[str, Any]:
    # In the cluster's own environment: the same Dask speaks the same protocol.
    python = Path(outputs["environment_folder"]) / "bin" / "python"
    if not python.exists():
        return {"error": f"{python} is gone; `up` builds the environment again"}
    try:
        done = subprocess.run(
            [str(python), "-m", "dask_node.report"],
            env=client_environment(outputs),
            capture_output=True,
            text=True,
            timeout=REPORT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"the scheduler did not answer within {REPORT_SECONDS} s"}
    if not done.stdout.strip():
        return {"error": done.stderr.strip() or f"the report ended with {done.returncode}"}
    report: dict[str, Any] = json.loads(done.stdout)
    return report
