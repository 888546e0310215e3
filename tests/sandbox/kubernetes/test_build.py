"""The programs of Kubernetes are built once, and are there when they are whole; with another Go."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from sandbox.kubernetes import build
from sandbox.kubernetes.errors import KubernetesError

if TYPE_CHECKING:
    from pathlib import Path

# Writes what it is asked to build, unless the folder `fail` names it.
GO = """#!/bin/sh
set -eu
if [ "$1" = list ]; then echo "{folder}/module"; exit; fi
echo "$@" >>{folder}/calls
while [ "$1" != -o ]; do shift; done
[ ! -e "{folder}/fail/${{2##*/}}" ] || {{ echo "no such package" >&2; exit 1; }}
echo program >"$2"
"""


class Go:
    """A Go that builds nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "go").write_text(GO.format(folder=folder))
        (folder / "go").chmod(0o755)
        stages = folder / "module/kustomize/stage"
        for name in build._STAGE_FILES:
            (stages / name).parent.mkdir(parents=True, exist_ok=True)
            (stages / name).write_text(f"name: {name}")

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Go:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return Go(tmp_path / "bin")


def test_all_are_built_once(go: Go, tmp_path: Path) -> None:
    said: list[str] = []
    folder = build.ensure(tmp_path / "cache", said.append)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(
        [
            *("coredns", "kube-apiserver", "kube-controller-manager", "kube-proxy"),
            *("kube-scheduler", "kubelet", "kwok", "metrics-server", "pause", "stages.yaml"),
        ]
    )
    assert len(said) == len(go.calls) == 9
    assert (folder / "stages.yaml").read_text().count("---") == len(build._STAGE_FILES) - 1
    assert build.ensure(tmp_path / "cache", said.append) == folder
    assert len(go.calls) == 9


def test_kubernetes_says_its_version(go: Go, tmp_path: Path) -> None:
    build.ensure(tmp_path / "cache", lambda _: None)
    call = next(call for call in go.calls if "kube-apiserver" in call)
    assert "version.gitVersion=v1.34.4" in call
    assert "version.gitMinor=34" in call


def test_a_failed_build_is_no_build(go: Go, tmp_path: Path) -> None:
    (go.folder / "fail").mkdir()
    (go.folder / "fail" / "kubelet").touch()
    with pytest.raises(
        KubernetesError, match="kubernetes cannot be built; Go says\nno such package"
    ):
        build.ensure(tmp_path / "cache", lambda _: None)
    assert not (tmp_path / "cache" / build.folder_name()).exists()
    (go.folder / "fail" / "kubelet").unlink()
    assert (build.ensure(tmp_path / "cache", lambda _: None) / "kubelet").exists()


def test_two_at_once_build_once(go: Go, tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=build.ensure, args=(tmp_path / "cache", lambda _: None))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(go.calls) == 9


def test_another_source_is_another_build_and_replaces_it(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = build.ensure(tmp_path / "cache", lambda _: None)
    sources = tmp_path / "sources"
    for path in build.SOURCES.rglob("*"):
        if path.is_file():
            there = sources / path.relative_to(build.SOURCES)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
    monkeypatch.setattr(build, "SOURCES", sources)
    assert build.folder_name() == old.name
    (sources / "pause" / "main.go").write_text("package other\n")
    new = build.ensure(tmp_path / "cache", lambda _: None)
    assert new != old
    assert not old.exists()
    assert len(go.calls) == 18
