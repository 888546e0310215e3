# ruff: noqa: INP001  # a script beside install.sh, not a module of a package
"""The folder of an environment, for install.sh: copy our files in, seal it, and check it later.

A sealed folder holds `environment.json`. It is written last, after what is installed was compared
with what was asked for, so a folder without it was never finished.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from identity import SHORT, copied_files, digest, pins

sys.path.append(str(Path(__file__).resolve().parent.parent / "node"))

from dask_node.environment import RECORD, installed_packages  # needs the path

# Exit codes, which install.sh passes on.
SAME, NOT_THERE, OTHER, DRIFTED = 0, 10, 4, 5


def copy(folder: Path) -> None:
    """Copy the project's files into `folder`, for the Python that runs this."""
    for path, source in copied_files(platform.python_version()).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def seal(folder: Path, requirements: str, extra: str) -> str | None:
    """Compare what is installed in `folder` with what was asked, and write `environment.json`.

    Must run under the environment's own Python: markers are judged with `packaging`, which Dask
    always brings.

    Returns:
        What differs, or None after writing.
    """
    from packaging.markers import Marker  # noqa: PLC0415  # only the environment has it

    asked = {
        pin.name: pin.version
        for pin in pins(requirements) + pins(extra)
        if not pin.marker or Marker(pin.marker).evaluate()
    }
    difference = _difference(asked, folder, platform.python_version())
    if difference:
        return difference
    full = digest(requirements, platform.python_version(), extra)
    record = {
        "identity": full[:SHORT],
        "sha256": full,
        "python": platform.python_version(),
        "packages": dict(sorted(asked.items())),
        "extra": sorted({pin.name for pin in pins(extra)}),
    }
    text = json.dumps(record, indent=2) + "\n"
    (folder / RECORD).write_text(text, encoding="utf-8")
    return None


def check(folder: Path, identity: str) -> tuple[int, str]:
    """Return an exit code and a message: is `folder` the finished environment `identity`?

    Packages are compared by name and version and our own files by content; a file that someone
    edited inside a package is not seen.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return NOT_THERE, ""
    record = _record(folder)
    if record is None:
        return OTHER, f"{folder} exists and is not a finished environment. Use another folder."
    if record["identity"] != identity:
        return OTHER, (
            f"{folder} holds environment {record['identity']}, not {identity}. "
            "Build into another folder, or remove this one first."
        )
    difference = _difference(record["packages"], folder, record["python"])
    if difference:
        return DRIFTED, f"{folder} was changed after it was built: {difference}. Remove it."
    return SAME, f"environment {identity} is complete in {folder}"


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _difference(asked: dict[str, str], folder: Path, python: str) -> str:
    """Return what in `folder` is not as asked, by name, or nothing."""
    found = installed_packages(folder.glob("lib/python3*/site-packages"))
    parts = [
        f"{name} is {found.get(name, 'absent')}, asked for {asked.get(name, 'absent')}"
        for name in sorted(asked.keys() | found.keys())
        if asked.get(name) != found.get(name)
    ]
    if not (folder / "bin" / "python").exists():  # a link to a Python that the system removed
        parts.append("its Python is gone")
    for path, source in copied_files(python).items():
        target = folder / path
        if not target.is_file() or target.read_bytes() != source.read_bytes():
            parts.append(f"{path} is not the project's")
    return "; ".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Run one step of install.sh; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["copy", "seal", "check"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--identity", default="")
    parser.add_argument("--requirements", type=Path)
    parser.add_argument("--extra", type=Path)
    given = parser.parse_args(arguments)
    if given.step == "copy":
        copy(given.folder)
        return 0
    if given.step == "seal":
        extra = given.extra.read_text(encoding="utf-8") if given.extra else ""
        requirements = given.requirements.read_text(encoding="utf-8")
        wrong = seal(given.folder, requirements, extra)
        if wrong:
            sys.stderr.write(f"install.sh: not what was asked for: {wrong}\n")
        return DRIFTED if wrong else 0
    code, message = check(given.folder, given.identity)
    if message:
        sys.stderr.write(f"install.sh: {message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
