"""The one environment of scheduler, workers and clients, and the configuration that goes with it.

The recipe is ``images/environment`` (its ``install.sh`` and the lock); this module, with
``boot``, is the only one that reads ``images/``.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import yaml
from pulumi import dynamic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

IMAGES = Path("images")
RECIPE = IMAGES / "environment"
# What a host elsewhere needs of this checkout, by the names of folders that it knows.
SOURCES = {"environment": RECIPE, "node": IMAGES / "node", "host": IMAGES / "host"}
# And what a build of container images needs, with what is in the notebooks' image alone.
IMAGE_SOURCES = {"environment": RECIPE, "node": IMAGES / "node"}
JUPYTER_SOURCES = {"jupyter": IMAGES / "jupyter"}
# Built environments are kept by identity, for all stacks of a checkout: the next cluster with
# the same one starts at once.
BUILT = Path(".dask-cluster") / "environments"


class Environment(dynamic.Resource, module="environment", name="Environment"):
    """The environment, built into a folder of this checkout that bears its identity.

    The folder is a cache, shared by all stacks of the checkout and kept when the stack goes;
    ``make clean`` removes it.

    Attributes:
        identity: Hash of the locked packages, Python's minor version, the project's own files and
            the extra packages (16 hex digits). Equal identities are equal environments.
        folder: Where it is.
        python: Its Python.
        requirements: The extra packages, pinned and with hashes; empty without any.
    """

    identity: pulumi.Output[str]
    folder: pulumi.Output[str]
    python: pulumi.Output[str]
    requirements: pulumi.Output[str]

    def __init__(
        self, name: str, *, packages: Sequence[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Build the environment, unless it is there already.

        Args:
            name: Name of the resource.
            packages: Extra packages such as ``xarray>=2025.1``; the lock decides on the rest.
            opts: Resource options.
        """
        props = {
            "project": str(Path.cwd()),
            # Without the extra packages: an edit of the lock or of our own files changes it.
            "recipe": _install(Path.cwd(), "--identity"),
            "packages": list(packages),
            **dict.fromkeys(_OUTPUTS),
        }
        super().__init__(_EnvironmentProvider(), name, props, opts)


_INPUTS = ("project", "recipe", "packages")
_OUTPUTS = ("identity", "folder", "python", "requirements")


class LockedEnvironment(dynamic.Resource, module="environment", name="LockedEnvironment"):
    """The environment as machines elsewhere will build it; nothing is built here.

    The extra packages are resolved once and held: they move when the lock or the list changes.

    Attributes:
        identity: As that of `Environment`: equal for the same lock and packages.
        requirements: The extra packages, pinned and with hashes; empty without any.
        locked: The lock's packages, pinned and with hashes.
        python_minor: Python's minor version, such as `3.11`: that of the program.
    """

    identity: pulumi.Output[str]
    requirements: pulumi.Output[str]
    locked: str
    python_minor: str

    def __init__(
        self, name: str, *, packages: Sequence[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Resolve the extra packages.

        Args:
            name: Name of the resource.
            packages: Extra packages such as ``xarray>=2025.1``; the lock decides on the rest.
            opts: Resource options.
        """
        recipe = _install(Path.cwd(), "--identity")
        props: dict[str, Any] = {
            "project": str(Path.cwd()),
            "recipe": recipe,
            "packages": list(packages),
            # Without extra packages a preview knows both.
            "identity": None if packages else recipe,
            "requirements": None if packages else "",
        }
        super().__init__(_LockedProvider(), name, props, opts)
        self.locked = locked_requirements(Path.cwd())
        self.python_minor = "{}.{}".format(*sys.version_info)


class _LockedProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        # Where the checkout is makes no difference to what is built elsewhere.
        inputs = ("recipe", "packages")
        return dynamic.DiffResult(changes=any(olds[key] != news[key] for key in inputs))

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        extra, identity = _resolve(Path(props["project"]), props["packages"])
        outs = props | {"identity": identity, "requirements": extra}
        return dynamic.CreateResult(id_="environment", outs=outs)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(outs=self.create(news).outs)


class _EnvironmentProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        return dynamic.DiffResult(changes=any(olds[key] != news[key] for key in _INPUTS))

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        outs = props | _build(Path(props["project"]), props["packages"])
        return dynamic.CreateResult(id_=outs["identity"], outs=outs)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        # The record is written last by install.sh; the Python may be a link into a system's own.
        record = Path(props["folder"]) / "environment.json"
        if not (record.exists() and Path(props["python"]).exists()):
            return dynamic.ReadResult(id_="", outs={})
        return dynamic.ReadResult(id_=id_, outs=props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(outs=self.create(news).outs)


def _build(project: Path, packages: Sequence[str]) -> dict[str, str]:
    """Resolve the extra packages and build the environment; quick if it is there already."""
    extra, identity = _resolve(project, packages)
    folder = project / BUILT / identity
    with _options(extra) as options:
        _install(project, str(folder), *options)
    return {
        "identity": identity,
        "folder": str(folder),
        "python": str(folder / "bin" / "python"),
        "requirements": extra,
    }


def _resolve(project: Path, packages: Sequence[str]) -> tuple[str, str]:
    """Return the pinned lines of the extra packages, and the identity that they make."""
    extra = _install(project, "--resolve", *packages) if packages else ""
    with _options(extra) as options:
        return extra, _install(project, "--identity", *options)


def locked_requirements(project: Path, package: str = "dask-environment") -> str:
    """Return the packages of a member of the lock, pinned and with hashes.

    Args:
        project: The checkout.
        package: The member: the environment, or `dask-jupyter`.
    """
    return _install(project, "--export", "--package", package)


@contextlib.contextmanager
def _options(extra: str) -> Iterator[list[str]]:
    """Hand the extra packages to `install.sh`, if there are any."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(extra)
        file.flush()
        yield ["--extra", file.name] if extra else []


def _install(project: Path, *words: str) -> str:
    """Run ``install.sh`` and return what it printed.

    Raises:
        pulumi.RunError: It failed; the message is its own.
    """
    # The Python behind the program's own virtual environment.
    python = str(Path(sys.executable).resolve())
    command = [str(project / RECIPE / "install.sh"), *words, "--python", python]
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("PULUMI_")}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.replace("install.sh: ", "").strip()
        raise pulumi.RunError(f"the environment cannot be built: {said}")
    return done.stdout.strip()


def dask_configuration(chosen: Mapping[str, Any], placed: Mapping[str, Any]) -> str:
    """Return the one ``dask.yaml`` of a cluster, for scheduler, workers and clients.

    Args:
        chosen: The stack file's ``dask:`` mapping; it wins over what the project ships.
        placed: What a platform decides, addresses and certificates; it wins over both.
    """
    shipped = yaml.safe_load((RECIPE / "dask.yaml").read_text())
    merged = _merge(_merge(shipped, chosen), placed)
    return str(yaml.safe_dump(merged))


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two Dask configurations; Dask reads ``_`` and ``-`` in a key as the same."""
    merged = dict(below)
    for key, value in above.items():
        there = next((k for k in merged if k.replace("_", "-") == key.replace("_", "-")), key)
        lower = merged.get(there)
        if isinstance(lower, dict) and isinstance(value, dict):
            merged[there] = _merge(lower, value)
        elif there == "preload" and isinstance(lower, list):
            # A list replaces a list everywhere else; ours must stay in place here.
            merged[there] = [*lower, *([value] if isinstance(value, str) else value)]
        else:
            merged[there] = value
    return merged
