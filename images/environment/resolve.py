# ruff: noqa: INP001  # a script beside install.sh, not a module of a package
"""Resolve a user's extra packages against the locked environment: `install.sh --resolve`.

The result is a fully pinned list with hashes of what the locked environment does not have yet. A
package that does not fit is an error: the lock is never bent for an extra package.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from identity import Pin, pins

# A name from the registry, with extras, versions and a marker: no address, no path, no option.
REQUIREMENT = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[A-Za-z0-9._,\s-]*\])?\s*([<>=!~][^;@/]*)?(;.*)?"
)


class Unresolvable(Exception):  # noqa: N818  # what it says is the error
    """The packages do not exist, or do not fit the locked environment."""


def resolve(packages: list[str], locked: str, python: str, uv: str) -> str:
    """Return the requirement lines, with hashes, that `packages` add to the locked environment.

    Args:
        packages: As a user writes them, such as `xgboost==2.1.4` or `polars>=1.30`.
        locked: The text that `install.sh --export` prints.
        python: Python's minor version, such as `3.11`.
        uv: The uv to run.

    Returns:
        Sorted lines; nothing when the locked environment already has everything.

    Raises:
        Unresolvable: With a sentence for the user.
    """
    for package in packages:
        if not REQUIREMENT.fullmatch(package.strip()):
            raise Unresolvable(
                f"{package!r} is not a name from the package registry with versions, "
                "such as 'polars>=1.30'"
            )
    if not packages:
        return ""
    have = pins(locked)
    compiled = _compile(packages, have, python, uv)
    names = {pin.name for pin in have}
    return "".join(pin.line + "\n" for pin in pins(compiled) if pin.name not in names)


def _compile(packages: list[str], have: list[Pin], python: str, uv: str) -> str:
    """Return the full resolution that uv finds under the lock's versions."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, constraints = Path(folder, "extra.in"), Path(folder, "locked.txt")
        wanted.write_text("\n".join(packages) + "\n", encoding="utf-8")
        lines = [pin.line.split(" --hash=")[0] for pin in have]
        constraints.write_text("\n".join(lines) + "\n", encoding="utf-8")
        # --universal: one list for the hosts and for a client on another system.
        # No builds: what a build pulls in is not pinned, and hosts have no compiler.
        command = [uv, "pip", "compile", str(wanted), "--constraints", str(constraints)]
        command += ["--universal", "--python-version", python, "--only-binary", ":all:"]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unresolvable(_reason(done.stderr, have))
    return done.stdout


def _reason(said: str, have: list[Pin]) -> str:
    """Return uv's explanation, led by the locked packages that it names."""
    words = {re.sub(r"[-_.]+", "-", word).lower() for word in re.findall(r"[\w.-]+", said)}
    named = {token.split("==")[0] for token in words} | words
    locked = sorted({f"{pin.name} {pin.version}" for pin in have if pin.name in named})
    explanation = " ".join(said.split())
    if locked:
        return (
            f"the extra packages do not fit the locked environment, which has {', '.join(locked)}. "
            f"uv says: {explanation}"
        )
    return f"the extra packages cannot be resolved. uv says: {explanation}"


def main(arguments: list[str] | None = None) -> int:
    """Print the resolved lines; return the exit code, 6 for packages that do not fit."""
    parser = argparse.ArgumentParser(description="Resolve extra packages against the lock.")
    parser.add_argument("packages", nargs="*")
    parser.add_argument("--requirements", type=Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--uv", required=True)
    given = parser.parse_args(arguments)
    try:
        locked = given.requirements.read_text(encoding="utf-8")
        sys.stdout.write(resolve(given.packages, locked, given.python, given.uv))
    except Unresolvable as error:
        sys.stderr.write(f"install.sh: {error}\n")
        return 6
    return 0


if __name__ == "__main__":
    sys.exit(main())
