"""Extra packages are resolved against the lock, which is never bent for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.environment.built import bare_host, run_install

if TYPE_CHECKING:
    from pathlib import Path


def locked(name: str) -> str:
    """Return the version that this Python gets; the export has one line for each marker."""
    lines = run_install("--export").stdout
    found = re.search(rf"^{name}==(\S+)", lines, re.MULTILINE)
    assert found is not None
    return found[1]


def test_new_packages_come_pinned_with_hashes_and_what_is_locked_is_left_out() -> None:
    done = run_install("--resolve", "toml>=0.10,<0.11", "pandas", "s3fs[boto3]>=2025")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"toml==0\.10\.2( --hash=sha256:[0-9a-f]{64}){2}\n", done.stdout)


def test_nothing_new_gives_nothing() -> None:
    for packages in ([], ["pandas"]):
        done = run_install("--resolve", *packages)
        assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("package", "holds"),
    [
        ("toolz<1", "toolz"),  # asks for another version itself
        ("dask-expr==1.1.21", "dask"),  # through a dependency
    ],
)
def test_a_conflict_names_the_package_and_the_locked_version(package: str, holds: str) -> None:
    done = run_install("--resolve", package)
    assert (done.returncode, done.stdout) == (6, "")
    named = done.stderr.partition(". uv says: ")[0]
    assert named.startswith(
        "install.sh: the extra packages do not fit the locked environment, which has "
    )
    assert f"{holds} {locked(holds)}" in named


def test_an_unknown_package_is_said_to_be_unknown() -> None:
    done = run_install("--resolve", "toml==0.0.99")
    assert done.returncode == 6
    assert done.stderr.startswith("install.sh: the extra packages cannot be resolved. uv says: ")
    assert "toml==0.0.99" in done.stderr


@pytest.mark.parametrize(
    "package", ["toml @ https://example.com/toml.whl", "git+https://example.com/x", "./here"]
)
def test_only_the_registry_is_a_source(package: str) -> None:
    done = run_install("--resolve", "toml", package)
    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr == (
        f"install.sh: {package!r} is not a name from the package registry with versions, "
        "such as 'polars>=1.30'\n"
    )


def test_a_host_without_a_checkout_and_uv(checkout: Path, tmp_path: Path) -> None:
    """Only `images/` and the exported list are there; uv comes from PyPI, and nothing stays."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(run_install("--export").stdout)
    for name in ("uv.lock", "pyproject.toml"):
        (checkout / name).unlink()
    script = checkout / "images" / "environment" / "install.sh"
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    host = bare_host(home, scratch)
    done = run_install("--identity", "--requirements", requirements, script=script, **host)
    assert done.stdout == run_install("--identity").stdout
    done = run_install(
        "--resolve", "toml==0.10.2", "--requirements", requirements, script=script, **host
    )
    assert done.stdout.startswith("toml==0.10.2 --hash")
    assert re.fullmatch(r"install\.sh: getting uv [0-9.]+\n", done.stderr)
    assert list(home.iterdir()) == list(scratch.iterdir()) == []
    done = run_install("--identity", script=script, **host)
    assert done.returncode == 2
    assert done.stderr == (
        "install.sh: no uv.lock here: name what --export printed with --requirements\n"
    )
