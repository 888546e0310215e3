"""Checkov's rules for Kubernetes: nothing is found but what a table explains."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.graph.kubernetes.manifests import component, manifests
from tests.graph.kubernetes.variations import ALL, SHIPPED
from tests.running import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)

CHECKOV = "checkov==3.3.30"
TABLE = ROOT / "docs" / "kubernetes-manifests.md"
ROW = re.compile(r"^\| (CKV\w+) \| ([a-z, ]+) \|", re.MULTILINE)
STACKS = (f"Pulumi.{SHIPPED}.yaml", "own-image", "node-port", "everything")

Found = set[tuple[str, str]]


def checkov(folder: Path) -> dict[str, Any]:
    """Return what it says of the manifests in a folder; its packages do not fit beside ours."""
    words = [os.environ["UV"], "run", "--quiet", "--isolated", "--no-project"]
    words += ["--python", sys.executable, "--with", CHECKOV]
    words += ["checkov", "--directory", str(folder), "--output", "json"]
    # It asks nobody for more rules, and sends nothing.
    words += ["--framework", "kubernetes", "--skip-download"]
    kept = {key: value for key, value in os.environ.items() if key != "BC_API_KEY"}
    done = subprocess.run(words, env=kept, cwd=folder, capture_output=True, text=True, check=False)
    # 1 is that of findings.
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def explained() -> Found:
    """Return the rows of the table: a rule, and the component whose pods break it."""
    rows = ROW.findall(TABLE.read_text())
    return {(rule, each) for rule, pods in rows for each in pods.split(", ")}


def test_every_finding_is_explained(tmp_path: Path) -> None:
    components = {}
    for stack in STACKS:
        for number, each in enumerate(manifests(ALL[stack]())):
            file = f"{stack}-{number}.json"
            (tmp_path / file).write_text(json.dumps(each))
            components[f"/{file}"] = component(each["metadata"]["labels"])
    said = checkov(tmp_path)
    summary, failed = said["summary"], said["results"]["failed_checks"]
    looked_at = {check["file_path"] for check in said["results"]["passed_checks"] + failed}
    # It has rules for most kinds; of all that it could not read it would say nothing.
    assert len(looked_at) > 0.5 * len(components)
    assert (summary["skipped"], summary["parsing_errors"]) == (0, 0)
    found = {(check["check_id"], components[check["file_path"]]) for check in failed}
    assert found == explained()
