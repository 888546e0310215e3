from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from dask_node import environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.delenv("DASK_CLUSTER_ENVIRONMENT", raising=False)
    return tmp_path


def test_the_variable_comes_before_the_record(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prefix / "environment.json").write_text(json.dumps({"identity": "1234567890123456"}))
    assert environment.own_identity() == "1234567890123456"
    monkeypatch.setenv("DASK_CLUSTER_ENVIRONMENT", "0000000000000001")
    assert environment.own_identity() == "0000000000000001"


@pytest.mark.parametrize("record", [None, "", "[]", "{}", '{"identi'])
def test_without_a_good_record_it_is_unknown(prefix: Path, record: str | None) -> None:
    if record is not None:
        (prefix / "environment.json").write_text(record)
    assert environment.own_identity() == "unknown"


def test_names_are_normalised_and_the_first_folder_wins(tmp_path: Path) -> None:
    for name in (
        "a/Foo_Bar.baz-1.0.dist-info",
        "b/foo_bar_baz-2.0.dist-info",
        "b/x-1+cu12.dist-info",
    ):
        (tmp_path / name).mkdir(parents=True)
    folders = [tmp_path / "a", tmp_path / "missing", tmp_path / "b"]
    assert environment.installed_packages(folders) == {"foo-bar-baz": "1.0", "x": "1+cu12"}


def test_a_package_installed_later_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert environment.own()["packages"] == {}
    (tmp_path / "late-1.0.dist-info").mkdir()
    assert environment.own()["packages"] == {"late": "1.0"}
