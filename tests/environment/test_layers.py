"""install.sh builds the layers of an image, each above what stands."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.environment.built import bare_host, cut_down, run_install

if TYPE_CHECKING:
    from pathlib import Path


def test_layers_of_an_image_make_a_whole(checkout: Path, tmp_path: Path) -> None:
    """Each with what the Dockerfile has copied by then, and none touches the one below it."""
    few, extra = tmp_path / "few.txt", tmp_path / "extra.txt"
    few.write_text(cut_down(run_install("--export").stdout, "packaging", "six"))
    extra.write_text(run_install("--resolve", "toml==0.10.2").stdout)
    options = ("--requirements", few, "--extra", extra)
    whole, layers, recipe = tmp_path / "whole", tmp_path / "layers", tmp_path / "recipe"
    assert run_install(whole, *options).returncode == 0
    script = recipe / "environment" / "install.sh"
    script.parent.mkdir(parents=True)
    for name in ("install.sh", "uv.txt"):
        shutil.copy(checkout / "images" / "environment" / name, script.parent)
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    # The variable as images that are made with uv say.
    bare = bare_host(home, scratch) | {"UV_COMPILE_BYTECODE": "1"}

    below: dict[str, tuple[int, int]] = {}
    for lines in ((*options[:2],), options):
        done = run_install("--packages", layers, *lines, script=script, **bare)
        assert done.returncode == 0, done.stderr
        now = written(layers)
        assert any(path.endswith(".pyc") for path in now.keys() - below.keys())
        assert {path: now[path] for path in below} == below
        below = now
    for name in ("environment", "node"):
        shutil.copytree(checkout / "images" / name, recipe / name, dirs_exist_ok=True)
    identity = run_install("--identity", *options).stdout.strip()
    asked = ("--finish", layers, *options, "--expect", identity)
    done = run_install(*asked, script=script, **bare)
    assert (done.returncode, done.stderr) == (0, "install.sh: compiling\n")
    now = written(layers)
    assert {path: now[path] for path in below} == below
    assert now.keys() == written(whole).keys()
    assert (layers / "environment.json").read_text() == (whole / "environment.json").read_text()
    assert run_install(layers, *options).returncode == 0, "it is a finished environment"
    assert list(home.iterdir()) == list(scratch.iterdir()) == []


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """Return each file below a folder: which one it is, and when it was last written."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.is_dir()
    }
