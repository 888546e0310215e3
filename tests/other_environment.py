"""An environment with one package more than the cluster's, and what its client is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from operations.remote import RECIPE
from tests.running import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.running import Beside

# Small, without dependencies, and in no environment of ours.
EXTRA, VERSION = "iniconfig", "2.0.0"
PACKAGES = [f"{EXTRA}=={VERSION}"]


def build(folder: Path) -> Path:
    """Build it below a folder, as another checkout would; return where it is."""
    recipe = str(ROOT / RECIPE)
    python = ["--python", str(Path(sys.executable).resolve())]
    extra = folder / "extra.txt"
    command = [recipe, "--resolve", *python, *PACKAGES]
    resolved = subprocess.run(command, capture_output=True, text=True, check=True)
    extra.write_text(resolved.stdout)
    built = folder / "environment"
    subprocess.run([recipe, str(built), *python, "--extra", str(extra)], check=True)
    return built


def check_refused(beside: Callable[..., Beside], program: str, folder: Path) -> None:
    """A client with the certificate, and with packages of its own, is told which."""
    own = ["env", "-u", "DASK_CLUSTER_ENVIRONMENT", str(build(folder) / "bin" / "python")]
    with beside(*own, "-c", program) as client:
        said = list(client.lines())
    assert said[-1].startswith("Or build that environment here"), "\n".join(said)
    rows = [line.split() for line in said]
    assert ["client", "scheduler", "workers"] in rows
    # Of the packages this one, and no other.
    table = rows[rows.index(["client", "scheduler", "workers"]) + 1 :]
    assert table[0] == [EXTRA, VERSION, "-", "-"]
    word, mine, *theirs = table[1]
    assert word == "environment"
    assert len({*theirs}) == 1
    assert mine not in theirs
