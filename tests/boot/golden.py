"""The user data of three hosts as files, to be read in a review.

After a wanted change write them anew: `.venv/bin/python -m tests.boot.golden`
"""

from __future__ import annotations

from pathlib import Path

from components.boot import SchedulerHost, WorkerHost, boot_text
from tests.boot.hosts import HPC_WORKER, SCHEDULER, WORKER

FOLDER = Path(__file__).parent / "golden"
HOSTS: dict[str, SchedulerHost | WorkerHost] = {
    "scheduler": SCHEDULER,
    "worker": WORKER,
    "hpc-worker": HPC_WORKER,
}


def main() -> None:
    for name, host in HOSTS.items():
        (FOLDER / f"{name}.sh").write_text(boot_text(host))


if __name__ == "__main__":
    main()
