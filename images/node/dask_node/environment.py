"""What this process runs: the environment's identity, Python and every installed package.

Only the standard library is used, so that `images/environment/verify.py` can read an environment
from outside with the same function.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

IDENTITY_VARIABLE = "DASK_CLUSTER_ENVIRONMENT"
UNKNOWN = "unknown"
# The file that install.sh writes last into an environment's folder.
RECORD = "environment.json"


class Environment(TypedDict):
    """What a process publishes about itself; plain types, as it travels as msgpack."""

    identity: str
    python: str
    packages: dict[str, str]


def own() -> Environment:
    """Return the environment of this process, as it is on disk now.

    The package list is read again only when a folder of `sys.path` has changed, so the call costs
    microseconds and can be made in a heartbeat.
    """
    folders = tuple(entry for entry in sys.path if entry)
    packages = _packages_at(tuple((folder, _changed(folder)) for folder in folders))
    return {
        "identity": own_identity(),
        "python": platform.python_version(),
        "packages": dict(packages),
    }


def own_identity() -> str:
    """Return the identity that this process was given, or the one its folder records.

    The variable is read from `os.environ` and not through Dask's configuration, which would turn
    an identity such as `1234567890123456` into a number.

    Returns:
        16 hex digits, or `unknown` where neither the variable nor the record exists.
    """
    given = os.environ.get(IDENTITY_VARIABLE)
    if given:
        return given
    try:
        record = json.loads(Path(sys.prefix, RECORD).read_text(encoding="utf-8"))
        return str(record["identity"])
    except (OSError, ValueError, KeyError, TypeError):
        return UNKNOWN


def installed_packages(folders: Iterable[str | Path]) -> dict[str, str]:
    """Return name -> version of every distribution in `folders`.

    The first folder that has a package wins, as on import. Names and versions come from the names
    of the `*.dist-info` folders, which the specification of installed projects fixes as
    `{name}-{version}.dist-info`: much faster than parsing each METADATA file with
    importlib.metadata. Names are normalised as PEP 503 says.
    """
    found: dict[str, str] = {}
    for folder in folders:
        try:
            entries = sorted(entry.name for entry in os.scandir(folder))
        except OSError:  # sys.path may name zip files and folders that do not exist
            continue
        for entry in entries:
            if entry.endswith(".dist-info"):
                name, _, version = entry.removesuffix(".dist-info").partition("-")
                found.setdefault(normalised_name(name), version)
    return found


def normalised_name(name: str) -> str:
    """Return a distribution's name in the one form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _packages_at(folders: tuple[tuple[str, int], ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder, changed in folders:
        found = _packages_of(folder, changed) | found
    return found


# One by one: Dask adds the local directory of each worker to `sys.path`, and a process with many
# workers would read all folders again for each of them.
@lru_cache(maxsize=1024)
def _packages_of(folder: str, _changed: int) -> dict[str, str]:
    return installed_packages([folder])


def _changed(folder: str) -> int:
    """Return the time of the last change of a folder's list of entries, in nanoseconds."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0
