"""What this machine has."""

from __future__ import annotations

from pathlib import Path

import psutil


def machine_memory() -> int:
    """Return the bytes of memory that this machine, or the container it is, may use."""
    limits = [psutil.virtual_memory().total]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        path = Path(file)
        text = path.read_text().strip() if path.exists() else "max"
        if text.isdigit():
            limits.append(int(text))
    return min(limits)
