"""install.sh builds exactly the locked environment, whole or not at all, and refuses drift."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.environment.built import (
    ROOT,
    change_packages,
    clean_environ,
    cut_down,
    install_command,
    linked_copy,
    run_install,
    uv,
    wait_for,
)

if TYPE_CHECKING:
    from pathlib import Path

LIST = """
import importlib.metadata, json
print(json.dumps({d.name: d.version for d in importlib.metadata.distributions()}))
"""


def listed(environment: Path) -> dict[str, str]:
    """Ask the environment itself, by other means than the recipe's."""
    command = [str(environment / "bin" / "python"), "-I", "-c", LIST]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environ())
    return {canonicalize_name(name): version for name, version in json.loads(done.stdout).items()}


def exported() -> dict[str, str]:
    text = uv(
        *("export", "--project", ROOT, "--locked", "--package", "dask-environment", "--no-dev"),
        *("--no-emit-workspace", "--no-hashes", "--no-header", "--no-annotate"),
    )
    requirements = [Requirement(line) for line in text.splitlines()]
    return {
        canonicalize_name(wanted.name): str(wanted.specifier).removeprefix("==")
        for wanted in requirements
        if wanted.marker is None or wanted.marker.evaluate()
    }


def test_what_is_installed_is_exactly_the_lock(environment: Path) -> None:
    wanted = exported()
    assert len(wanted) > 40
    assert listed(environment) == wanted
    record = json.loads((environment / "environment.json").read_text())
    assert record["packages"] == wanted
    assert record["identity"] == environment.name
    assert record["sha256"].startswith(environment.name)


def test_our_own_files_and_compiled_code_are_in_it(environment: Path) -> None:
    packages = next(environment.glob("lib/python3*/site-packages"))
    node = ROOT / "images" / "node" / "dask_node"
    for source in node.glob("*.py"):
        assert (packages / "dask_node" / source.name).read_bytes() == source.read_bytes()
    base = ROOT / "images" / "environment" / "dask.yaml"
    assert (environment / "etc" / "dask" / "dask.yaml").read_bytes() == base.read_bytes()
    for name in ("distributed", "dask_node"):
        sources = {path.stem for path in (packages / name).glob("*.py")}
        compiled = {path.name.split(".")[0] for path in (packages / name).glob("__pycache__/*.pyc")}
        assert sources <= compiled


def test_another_member_of_the_lock_is_exported() -> None:
    done = run_install("--export", "--package", "dask-jupyter")
    assert done.returncode == 0, done.stderr
    assert re.search(r"(?m)^jupyterlab==\S+ \\\n +--hash=sha256:", done.stdout)
    assert "jupyterlab==" not in run_install("--export").stdout
    refused = run_install("--identity", "--package", "dask-jupyter")
    assert refused.returncode == 2
    assert "--package goes with --export" in refused.stderr


def test_programs_run_after_the_folder_got_its_name(environment: Path) -> None:
    done = subprocess.run(
        [str(environment / "bin" / "dask"), "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environ(DASK_CONFIG=str(environment / "etc" / "dask" / "dask.yaml")),
    )
    assert done.stdout == f"dask, version {exported()['dask']}\n"


def test_the_second_time_nothing_is_done(environment: Path) -> None:
    before = (environment / "environment.json").stat().st_mtime_ns
    done = run_install(environment)
    assert (done.returncode, done.stdout) == (0, "")
    name = environment.name
    assert done.stderr == f"install.sh: environment {name} is complete in {environment}\n"
    assert (environment / "environment.json").stat().st_mtime_ns == before


def test_drift_is_refused_with_the_packages(environment: Path, tmp_path: Path) -> None:
    copy = linked_copy(environment, tmp_path / "copy")
    assert run_install(copy).returncode == 0
    change_packages(copy, "locket==0.2.1", "toml==0.10.2")
    uv("pip", "uninstall", "--quiet", "--python", copy / "bin" / "python", "zipp")
    wanted = exported()
    done = run_install(copy)
    assert done.returncode == 5
    assert done.stderr == (
        f"install.sh: {copy} was changed after it was built: "
        f"locket is 0.2.1, asked for {wanted['locket']}; "
        "toml is 0.10.2, asked for absent; "
        f"zipp is absent, asked for {wanted['zipp']}. Remove it.\n"
    )


def test_an_edited_file_of_ours_is_drift(environment: Path, tmp_path: Path) -> None:
    copy = linked_copy(environment, tmp_path / "copy")
    file = copy / "etc" / "dask" / "dask.yaml"
    text = file.read_text()
    file.unlink()  # a hard link: never write into it
    file.write_text(text.replace("require-encryption: true", "require-encryption: false"))
    done = run_install(copy)
    assert done.returncode == 5
    assert "etc/dask/dask.yaml is not the project's" in done.stderr


def test_another_identity_is_refused(environment: Path, tmp_path: Path) -> None:
    extra = tmp_path / "extra.txt"
    extra.write_text("toml==0.10.2 --hash=sha256:00\n")
    done = run_install(environment, "--extra", extra)
    asked = run_install("--identity", "--extra", extra).stdout.strip()
    assert done.returncode == 4
    assert done.stderr == (
        f"install.sh: {environment} holds environment {environment.name}, not {asked}. "
        "Build into another folder, or remove this one first.\n"
    )


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    done = run_install(tmp_path)
    assert done.returncode == 4
    assert "is not a finished environment" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_stale_lock_is_refused(checkout: Path, tmp_path: Path) -> None:
    project = checkout / "images" / "environment" / "pyproject.toml"
    project.write_text(project.read_text().replace('"joblib>=1.5"', '"joblib>=1.5", "toml"'))
    target = tmp_path / "target"
    done = run_install(target, script=checkout / "images" / "environment" / "install.sh")
    assert done.returncode == 3
    assert done.stderr == (
        "install.sh: uv.lock does not match the pyproject.toml files. Run: uv lock\n"
    )
    assert not list(tmp_path.glob("target*"))


def test_wrong_use_is_named(tmp_path: Path) -> None:
    unpinned = tmp_path / "unpinned.txt"
    unpinned.write_text("toml>=1\n")
    cases: dict[tuple[str, ...], str] = {
        (): "name one folder to build into (see --help)",
        ("a", "b"): "name one folder to build into (see --help)",
        ("--colour",): "unknown option --colour (see --help)",
        ("x", "--extra"): "--extra needs a value",
        ("x", "--requirements", "/nowhere"): "cannot read /nowhere",
        ("x", "--extra", "/nowhere"): "cannot read /nowhere",
        ("x", "--expect"): "--expect needs a value",
        ("--packages",): "name one folder to build into (see --help)",
        ("x", "--extra", str(unpinned)): "not a pinned requirement: toml>=1",
    }
    for arguments, message in cases.items():
        done = run_install(*arguments)
        assert (done.returncode, done.stderr) == (2, f"install.sh: {message}\n")


@pytest.mark.parametrize("stage", ["installing packages", "compiling"])
def test_a_killed_build_is_never_taken_for_a_finished_one(tmp_path: Path, stage: str) -> None:
    target = tmp_path / "target"
    with start_build(target) as build:
        assert build.stderr is not None
        while stage not in build.stderr.readline():
            assert build.poll() is None
        wait_for((tmp_path / "target.partial").exists, "a build to begin", 30)
        os.killpg(build.pid, signal.SIGKILL)
    assert [path.name for path in tmp_path.iterdir()] == ["target.partial"]


def test_two_builds_at_once_after_a_killed_one_and_an_extra_package(tmp_path: Path) -> None:
    few = tmp_path / "few.txt"
    few.write_text(cut_down(run_install("--export").stdout, "packaging", "six"))
    extra = tmp_path / "extra.txt"
    extra.write_text(run_install("--resolve", "toml==0.10.2").stdout)
    target = tmp_path / "target"
    arguments = ["--requirements", str(few), "--extra", str(extra)]
    left_over = tmp_path / "target.partial" / "lib" / "python3.11" / "site-packages"
    (left_over / "yarl-1.0.dist-info").mkdir(parents=True)
    with start_build(target, *arguments) as one, start_build(target, *arguments) as two:
        said = sorted((build.communicate(timeout=200)[1] for build in (one, two)), key=len)
    assert (one.returncode, two.returncode) == (0, 0)
    name = run_install("--identity", *arguments).stdout.strip()
    complete = f"install.sh: environment {name} is complete in {target}"
    assert said[0].splitlines() == ["install.sh: waiting for another build", complete]
    assert said[1].splitlines()[1:] == ["install.sh: compiling", complete]
    wanted = exported()
    assert listed(target) == {
        "packaging": wanted["packaging"],
        "six": wanted["six"],
        "toml": "0.10.2",
    }
    assert json.loads((target / "environment.json").read_text())["extra"] == ["toml"]
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["extra.txt", "few.txt", "target"]


def test_an_empty_list_of_extra_packages_is_none(tmp_path: Path) -> None:
    extra = tmp_path / "extra.txt"
    extra.write_text("")
    plain = run_install("--identity").stdout
    assert run_install("--identity", "--extra", extra).stdout == plain


@pytest.mark.parametrize("action", [(), ("--finish",)])
def test_another_identity_than_expected_is_not_built(tmp_path: Path, action: tuple[str]) -> None:
    identity = run_install("--identity").stdout.strip()
    done = run_install(*action, tmp_path / "target", "--expect", "0" * 16)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"install.sh: these files make environment {identity} here, and {'0' * 16} was asked for\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(f"toml==0.10.2 --hash=sha256:{'0' * 64}\n")
    done = run_install(tmp_path / "target", "--requirements", wrong)
    assert done.returncode == 1
    assert "Hash mismatch for `toml==0.10.2`" in done.stderr
    assert done.stderr.endswith("install.sh: uv could not install the packages\n")
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.txt"]


def start_build(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        install_command(*arguments),
        env=clean_environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
