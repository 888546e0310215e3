"""Checks that are the same wherever a cluster is: by its outputs, and by its scheduler's report."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOCK_SECONDS = 2.0


def environments(outputs: Mapping[str, Any], report: Mapping[str, Any]) -> tuple[bool, str]:
    """Every process has the stack's environment, or another one."""
    members = {worker["name"]: worker["identity"] for worker in report["workers"]}
    members["scheduler"] = report["identity"]
    wrong = [name for name, identity in members.items() if identity != outputs["environment"]]
    same = f"the same on all {len(members)} processes"
    return (
        not wrong,
        f"environment {outputs['environment']}: "
        + (f"another one on {', '.join(wrong)}" if wrong else same),
    )


def clocks(report: Mapping[str, Any]) -> tuple[bool, str]:
    """Dask compares times of several machines, and a certificate is not valid before its time."""
    wrong = [
        f"{worker['name']} by {worker['clock_ahead']:+.1f} s"
        for worker in report.get("workers", [])
        if abs(worker.get("clock_ahead", 0)) > CLOCK_SECONDS
    ]
    said = f"off from the scheduler's: {', '.join(wrong)}" if wrong else "the same everywhere"
    return not wrong, f"clocks: {said}"


def certificates(outputs: Mapping[str, Any]) -> tuple[bool, str]:
    """How long the certificates are good for."""
    left = dt.datetime.fromisoformat(outputs["certificates_expire"]) - dt.datetime.now(dt.UTC)
    return left.days > 0, f"certificates: {left.days} days left; `up` renews them in the last 30"
