"""The README says what is there: its commands, targets, outputs and files exist, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main

from operations.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_command_is_listed_and_no_other() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    listed = re.findall(r"^\| `dask-cluster (\w+)", section("Commands"), re.MULTILINE)
    assert sorted(listed) == sorted(commands)
    for row in re.findall(r"^\| `dask-cluster (\w+ .*?)` \|", section("Commands"), re.MULTILINE):
        name = row.split()[0]
        options = {o for p in commands[name].params for o in p.opts if o.startswith("--")}
        assert {o for o in re.findall(r"--[a-z-]+", row) if o} <= options, row


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"`make ([a-z]+)`|^    make ([a-z]+)", README, re.MULTILINE)
    assert named
    for target in map("".join, named):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_that_is_linked_exists() -> None:
    for document in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "stacks" / "README.md"]:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document}: {link}"


def test_the_outputs_are_those_of_the_program() -> None:
    program = (ROOT / "components" / "platforms" / "local.py").read_text()
    returned = program.split("def _outputs")[1]
    listed = re.findall(r"^\| `(\w+)` \|", section("Outputs"), re.MULTILINE)
    assert listed == re.findall(r'^            "(\w+)":', returned, re.MULTILINE)


def test_exit_codes_are_those_of_the_command() -> None:
    help_text = typer.main.get_command(app).help or ""
    for code in (
        "0 done",
        "1 failed",
        "2 wrong command or settings",
        "6 no such stack",
        "7 changes",
    ):
        assert code in " ".join(README.split())
        assert code in " ".join(help_text.split())
