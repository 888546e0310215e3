"""The environment of a command beside a cluster on AWS: the recipe is asked, and then builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operations import on_aws, remote
from operations.clusters import Cluster, Typed
from operations.stacks import CommandError, open_stack
from tests.operations.project import IDENTITY, OUTPUTS

if TYPE_CHECKING:
    from pathlib import Path

    from operations.stacks import Opened
    from tests.operations.project import Project

# Says what it was asked; the file of extra packages is gone when it has ended.
RECIPE = """#!/bin/sh
case $2 in --extra) echo "$1 $2 $(cat "$3")" ;; *) echo "$1" ;; esac >> "$RECIPE_LOG"
[ "$1" != --identity ] || { echo "$RECIPE_IDENTITY"; exit 0; }
[ -z "$RECIPE_FAILS" ] || { echo "install.sh: no registry" >&2; exit 1; }
mkdir -p "$1" && touch "$1/environment.json"
"""

TYPED = Typed(up="pulumi up -s dev", status="dask-cluster status dev")


@pytest.fixture
def opened(project: Project, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A stack in a checkout with that recipe, and without a built environment."""
    for name in ("images", ".dask-cluster"):
        (project.directory / name).unlink()
    recipe = project.directory / "images" / "environment" / "install.sh"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(RECIPE)
    recipe.chmod(0o755)
    monkeypatch.setenv("RECIPE_LOG", str(project.outside / "recipe.log"))
    monkeypatch.setenv("RECIPE_IDENTITY", IDENTITY)
    monkeypatch.setenv("RECIPE_FAILS", "")
    monkeypatch.chdir(project.directory)
    return open_stack("dev")


def asked(project: Project) -> list[str]:
    return (project.outside / "recipe.log").read_text().splitlines()


def built(project: Project) -> Path:
    return project.directory / ".dask-cluster" / "environments" / IDENTITY


def test_it_is_built_once(opened: Opened, project: Project) -> None:
    assert remote._environment(opened, OUTPUTS, TYPED) == built(project)
    assert remote._environment(opened, OUTPUTS, TYPED) == built(project)
    assert asked(project) == ["--identity", str(built(project)), "--identity"]


def test_extra_packages_are_part_of_it(opened: Opened, project: Project) -> None:
    remote._environment(opened, {**OUTPUTS, "extra_packages": "xarray==2025.1.0"}, TYPED)
    assert asked(project) == [
        "--identity --extra xarray==2025.1.0",
        f"{built(project)} --extra xarray==2025.1.0",
    ]


def test_another_one_is_not_built(
    opened: Opened, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIPE_IDENTITY", "fedcba9876543210")
    with pytest.raises(CommandError, match="makes environment fedcba9876543210, and cluster `dev`"):
        remote._environment(opened, OUTPUTS, TYPED)
    assert asked(project) == ["--identity"]


def test_it_cannot_be_built(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECIPE_FAILS", "yes")
    with pytest.raises(CommandError) as failed:
        remote._environment(opened, OUTPUTS, TYPED)
    said = "the environment cannot be built: images/environment/install.sh says above why."
    assert str(failed.value) == said
    assert capfd.readouterr().err == "install.sh: no registry\n"


def test_a_stack_of_this_machine(opened: Opened, project: Project) -> None:
    project.edit(platform="local", workers=1)
    with pytest.raises(CommandError, match=r"^stack `dev` is not on AWS\.$"):
        on_aws.run(Cluster(opened, OUTPUTS, TYPED), ["true"])
