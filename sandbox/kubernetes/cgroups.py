"""The cgroups below which a Kubernetes keeps its pods; `leftovers` removes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOT: Final = Path("/sys/fs/cgroup")
_WANTED: Final = {"cpuset", "cpu", "memory", "pids", "hugetlb", "io"}


def make(name: str, below: Iterable[str], root: Path = _ROOT) -> None:
    """Make a cgroup for each node: in every hierarchy, or in the one there is.

    A kubelet wants the top of its own to be there.

    Args:
        name: Of the one that has them all.
        below: Names of the nodes.
        root: Of the hierarchies, for tests.
    """
    one = (root / "cgroup.controllers").exists()
    tops = [root] if one else [path for path in root.iterdir() if _is_hierarchy(path)]
    for top in tops:
        for node in below:
            folder = top / name / node
            folder.mkdir(parents=True, exist_ok=True)
            for each in (folder.parent, folder):
                _inherit(each)


def _is_hierarchy(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and (path / "cgroup.procs").exists()


def _inherit(folder: Path) -> None:
    """Give a new cgroup what it does not have of its parent by itself."""
    parent = folder.parent
    if (parent / "cgroup.controllers").exists():
        there = set((parent / "cgroup.controllers").read_text().split()) & _WANTED
        (parent / "cgroup.subtree_control").write_text(" ".join(f"+{one}" for one in sorted(there)))
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        # Of the older kind: no process can be in a cgroup without any.
        if file.exists() and not (parent / "cgroup.controllers").exists():
            file.write_text((parent / name).read_text())
