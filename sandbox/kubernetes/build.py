"""The programs of Kubernetes, built from the Go modules that `binaries/` names.

Nothing prebuilt is downloaded: only sources, by Go's own module cache. They are kept by a hash of
all that says what they are.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.kubernetes.errors import KubernetesError
from sandbox.machine.programs import program

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES: Final = Path(__file__).with_name("binaries")
VERSION: Final = "v1.34.4"
_LINES: Final = 12
_STAGES: Final = "sigs.k8s.io/kwok"
# What pretended nodes and their pods go through, of kwok's module.
_STAGE_FILES: Final = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
    "pod/fast/pod-ready.yaml",
)


@dataclass(frozen=True)
class Module:
    """A Go module of ours, and what is built of it.

    Attributes:
        folder: Below `SOURCES`.
        packages: Each makes a program of its last name.
        settings: Variables that the linker sets.
    """

    folder: str
    packages: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)


_MAJOR, _MINOR = VERSION[1:].split(".")[:2]
_VERSION_PACKAGE: Final = "k8s.io/component-base/version"
MODULES: Final = (
    Module("pause", (".",)),
    Module(
        "kubernetes",
        tuple(
            f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
            )
        ),
        {
            f"{_VERSION_PACKAGE}.gitVersion": VERSION,
            f"{_VERSION_PACKAGE}.gitMajor": _MAJOR,
            f"{_VERSION_PACKAGE}.gitMinor": _MINOR,
        },
    ),
    Module("coredns", (".",)),
    Module("metrics", ("sigs.k8s.io/metrics-server/cmd/metrics-server",)),
    Module("kwok", ("sigs.k8s.io/kwok/cmd/kwok",)),
)


def folder_name() -> str:
    """Return the name of the folder that the programs of these sources are in."""
    digest = hashlib.sha256(repr((MODULES, _STAGE_FILES)).encode())
    for path in sorted(path for path in SOURCES.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(SOURCES)}\0".encode() + path.read_bytes() + b"\0")
    return f"bin-{digest.hexdigest()[:12]}"


def ensure(cache: Path, say: Callable[[str], None]) -> Path:
    """Return the folder of the programs, after building them where they are not there.

    Args:
        cache: Where they are kept; of one version.
        say: Told what takes long: ten minutes of two cores, the first time.

    Raises:
        KubernetesError: One cannot be built, in Go's words.
    """
    folder = cache / folder_name()
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "bin.lock").open("w") as lock:
        # Another rehearsal may be at it: its work is found done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _build(folder, say)
    return folder


def _build(folder: Path, say: Callable[[str], None]) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    every = [(module, package) for module in MODULES for package in module.packages]
    for n, (module, package) in enumerate(every, 1):
        name = module.folder if package == "." else package.rpartition("/")[2]
        say(f"building {name} of Kubernetes ({n} of {len(every)}); only the first time")
        settings = " ".join(f"-X {key}={value}" for key, value in module.settings.items())
        _go(
            module.folder,
            *("build", "-trimpath", "-buildvcs=false", "-mod=readonly"),
            *("-ldflags", f"-s -w {settings}".strip(), "-o", str(partial / name), package),
        )
    found = _go("kwok", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", _STAGES).strip()
    texts = [(Path(found) / "kustomize/stage" / name).read_text() for name in _STAGE_FILES]
    (partial / "stages.yaml").write_text("\n---\n".join(texts))
    for old in folder.parent.glob("bin-*"):
        if old not in (partial, folder):
            shutil.rmtree(old)
    partial.rename(folder)


def _go(module: str, *arguments: str) -> str:
    """Run Go in a module of ours, and return what it printed."""
    done = subprocess.run(
        [program("go") or "go", *arguments],
        cwd=SOURCES / module,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()[-_LINES:]
        raise KubernetesError("\n".join([f"{module} cannot be built; Go says", *lines]))
    return done.stdout
