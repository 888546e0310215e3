"""The README's commands in a fresh copy of the checkout, by someone who has nothing but Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tests.local.cluster import ROOT, Cluster, free_ports

SECONDS = 280


def checkout(folder: Path) -> None:
    """Copy what git holds or would take in: a clone of the working tree as it is."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def bare_machine(home: Path) -> dict[str, str]:
    """Return an environment with Python, make and git, an empty home, and no uv."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("UV", "VIRTUAL_ENV", "PYTEST", "DASK", "MAKE", "PULUMI"))
    }
    # The Python behind the test's own virtual environment, under the name of a fresh machine.
    tools = home.parent / "tools"
    tools.mkdir()
    (tools / "python3").symlink_to(Path(sys.executable).resolve())
    return kept | {"HOME": str(home), "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin"}


def test_make_up_edit_up_destroy_in_a_fresh_checkout() -> None:
    with tempfile.TemporaryDirectory(prefix="dc-") as temporary:
        base = Path(temporary).resolve()
        home, folder = base / "home", base / "clone"
        home.mkdir()
        checkout(folder)
        environment = bare_machine(home)

        def make(target: str) -> str:
            done = subprocess.run(
                ["make", target],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout + done.stderr

        file = folder / "stacks" / "Pulumi.local.yaml"
        config = yaml.safe_load(file.read_text())["config"]
        # The shipped ports may be taken on this machine; nothing else is edited.
        scheduler, dashboard = free_ports(2)
        config |= {"schedulerPort": scheduler, "dashboardPort": dashboard}
        cluster = Cluster(folder)
        cluster.edit(**config)
        try:
            assert "2 workers, 2 processes" in make("up")
            cluster.edit(workers=3)
            assert "3 workers, 3 processes" in make("up")
        finally:
            make("destroy")
        assert cluster.left() == []
        assert list(home.iterdir()) == [], "something was written outside the checkout"
