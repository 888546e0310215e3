"""The documents say what is there: commands, targets, outputs and files exist, and no others."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import typer.main
import yaml

from components.certificates import RENEW_DAYS
from components.firewall import FOR_CLIENTS, OPENINGS
from docs.pictures import rehearsal as picture
from operations.cli import app
from operations.machines_screen import COLUMNS
from operations.rehearse import Action
from operations.rehearsed_hosts import PYTHON
from operations.tunnel import INSTALL
from sandbox.hosts.lacks import PROGRAMS
from sandbox.hosts.names import API, METADATA, RESOLVER
from sandbox.hosts.sysctls import LEAST
from tests.graph.recorder import stack_file
from tests.graph.variations import of_stack_file

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
AWS = (ROOT / "docs" / "aws.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
REHEARSALS = (ROOT / "docs" / "what-a-rehearsal-shows.md").read_text()
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "stacks/README.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
]
# What the tutorials teach that our users have read, and for which they look in a README.
TUTORIALS = """
LocalCluster, n_workers, memory_limit, scale, adapt, nannies, cloudpickle, out of memory,
dask scheduler, dask worker, SSHCluster, PipInstall, conda, Docker, NFS, firewall, 8786, 8787,
KubeCluster, HelmCluster, Helm, LoadBalancer, NodePort, dask-kubernetes, kubectl scale, HPA,
tcp://dask-scheduler:8786, timeouts, allowed-failures, Rolling upgrade, Airflow, AWS Batch, S3,
SLURMCluster, YARN, dask-jobqueue, ib0, RDMA, Coiled, Saturn, EC2Cluster, Gateway, TLS, Evicted,
read_csv, read_parquet, delayed, joblib, Dask-ML, Jupyter, Prefect, scheduled flows, dashboard,
logs, WORK_STEALING
"""


def section(title: str, text: str = README) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0]


def anchors(document: Path) -> set[str]:
    """Return what a link into a document may name, as GitHub makes it of each heading."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


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
    named = [
        "".join(found)
        for document in DOCUMENTS
        for found in re.findall(
            r"`make ([a-z-]+)[` ]|^    make ([a-z-]+)", document.read_text(), re.MULTILINE
        )
    ]
    assert {"up", "rehearse", "rehearse-destroy"} <= set(named)
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_that_is_linked_exists() -> None:
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^):]+)\)", document.read_text().replace("\n", " ")):
            name, _, anchor = link.partition("#")
            file = document.parent / name if name else document
            assert file.exists(), f"{document}: {link}"
            assert not anchor or anchor in anchors(file), f"{document}: {link}"


def test_each_command_line_is_one_that_the_command_takes() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    lines = re.findall(r"^    (?:\.venv/bin/)?dask-cluster (.*)$", README, re.MULTILINE)
    lines += re.findall(r"`(?:\.venv/bin/)?dask-cluster (rehearse [^`]*)`", README)
    assert len(lines) > 5
    for line in lines:
        name, stack, *rest = shlex.split(line, comments=True)
        assert name in commands, line
        assert stack == "STACK" or (ROOT / "stacks" / f"Pulumi.{stack}.yaml").exists(), line
        if name == "rehearse":
            assert rest[0] in {"ACTION", *Action}, line


def test_the_outputs_are_those_of_the_program() -> None:
    outputs = (ROOT / "docs" / "outputs.md").read_text()
    for title, platform in (("On this machine", "local"), ("On AWS", "vm")):
        program = (ROOT / "components" / "platforms" / f"{platform}.py").read_text()
        returned = program.split("def _outputs")[1].split("\n\n\n")[0]
        listed = re.findall(r"^\| `(\w+)` \|", section(title, outputs), re.MULTILINE)
        assert sorted(listed) == sorted(re.findall(r'^ {12}"(\w+)":', returned, re.MULTILINE))


def test_the_rehearsal_is_that_of_the_stack_file() -> None:
    shown = section("Rehearse it for AWS, without AWS")
    resources = len(of_stack_file("dev").resources) + 1  # the stack itself
    assert f"+ {resources} created" in shown
    assert "  ".join(["Group    ", *COLUMNS, "bought"]) in shown
    assert f"`workers: {stack_file('dev')['workers']}`" in shown


def test_the_words_of_the_tutorials_are_found() -> None:
    words = TUTORIALS.replace("\n", " ").strip().split(", ")
    assert [word for word in words if word not in README] == []


def test_the_firewall_is_that_of_the_program() -> None:
    rows = re.findall(r"^\| (\w+) \| ([\d-]+) \| (\w+) \| (.*) \|$", AWS, re.MULTILINE)
    for to, ports, source, why in rows:
        first, _, last = ports.partition("-")
        found = [o for o in OPENINGS if o.reason == why.removesuffix(" (nannies)")]
        assert [(o.to, o.source) for o in found] == [
            (to.removesuffix("s"), source.removesuffix("s"))
        ]
        assert (found[0].ports[0], found[0].ports[-1]) == (int(first), int(last or first))
    assert len(rows) == len(OPENINGS)
    for _, reason in FOR_CLIENTS.values():
        assert reason in AWS


def test_numbers_and_addresses_are_those_of_the_program() -> None:
    assert INSTALL in README
    assert f"in the last {RENEW_DAYS} days" in AWS
    host = (ROOT / "images" / "environment" / "packages.txt").read_text()
    assert re.search(r"^python .* python@PYTHON@$", host, re.MULTILINE)
    assert "PYTHON=python3.11" in README


def test_pulumi_finds_the_stack_files_that_are_named() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    for stack in set(re.findall(r"pulumi [a-z]+ -s (\w+)", README)):
        file = ROOT / project["stackConfigDir"] / f"Pulumi.{stack}.yaml"
        assert file.exists(), stack


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


def test_the_picture_is_what_its_program_draws() -> None:
    assert picture.PICTURE.read_text() == picture.svg()
    for address, port in ((METADATA, 80), (RESOLVER, 53), (API, 80)):
        assert f">{address}:{port}</text>" in picture.svg()
        assert address in REHEARSALS
    assert f"]({picture.PICTURE.relative_to(ROOT / 'docs')})" in REHEARSALS


def test_what_hosts_need_is_named() -> None:
    for package in {*PROGRAMS.values()} - {"iproute2"}:
        assert f"`{package}`" in section("Rehearse it for AWS, without AWS")
        assert f"`{package}`" in CONTRIBUTING
    assert f"Python {PYTHON[0]}.{PYTHON[1]}" in REHEARSALS
    for setting in LEAST:
        assert ".".join(setting.split("/")[:2]) in REHEARSALS
