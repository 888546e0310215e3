"""The user data: what is in it, how long it may get, and what does not get in."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.boot import (
    MOST_BYTES,
    TEMPLATE,
    Efs,
    boot_text,
    placed_configuration,
    render,
)
from components.environment import dask_configuration
from tests.boot import golden, hosts

if TYPE_CHECKING:
    from components.boot import SchedulerHost, WorkerHost


def settings(text: str) -> dict[str, str]:
    """Return the values in a text as bash reads them."""
    [lines] = re.findall(r"<<'END'\n(.*?)\nEND\n", text.split("report()", maxsplit=1)[0], re.DOTALL)
    program = f"set -a\n{lines}\nenv -0"
    done = subprocess.run(["bash", "-c", program], env={}, capture_output=True, check=True)
    found = dict(item.split("=", 1) for item in done.stdout.decode().split("\0") if item)
    names = [line.split("=")[0] for line in lines.splitlines()]
    return {name: found[name] for name in names}


@pytest.mark.parametrize("name", golden.HOSTS)
def test_texts_are_those_that_were_read(name: str) -> None:
    assert boot_text(golden.HOSTS[name]) == (golden.FOLDER / f"{name}.sh").read_text()


def test_no_other_text_lies_about() -> None:
    assert {path.stem for path in golden.FOLDER.iterdir()} == golden.HOSTS.keys()


@pytest.mark.parametrize(
    "host", [*golden.HOSTS.values(), hosts.LONGEST_SCHEDULER, hosts.LONGEST_WORKER]
)
def test_texts_are_short_and_begin_as_cloud_init_wants(host: SchedulerHost | WorkerHost) -> None:
    text = boot_text(host)
    assert len(text.encode()) <= MOST_BYTES == 4096
    assert text.startswith("#!/bin/bash\nset -euo pipefail\n")
    assert text.endswith("\n")
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_longest_values_are_the_longest() -> None:
    """The bound above holds for every host only if nothing longer is let in."""
    for host in (hosts.LONGEST_SCHEDULER, hosts.LONGEST_WORKER):
        for name in ("auto_scaling_group", "secret", "cluster"):
            with pytest.raises(ValueError, match=rf"^{name}: .* is longer than"):
                boot_text(hosts.other(host, **{name: getattr(host, name) + "x"}))
    for name in ("zone_id", "record"):
        longer = getattr(hosts.LONGEST_SCHEDULER, name).replace("0", "00", 1).replace("r", "rr", 1)
        with pytest.raises(ValueError, match=rf"^{name}: .* is longer than"):
            boot_text(hosts.other(hosts.LONGEST_SCHEDULER, **{name: longer}))
    with pytest.raises(ValueError, match=r"resources: .* is longer than 200"):
        boot_text(hosts.other(hosts.LONGEST_WORKER, resources={"r" * 98: 1.0, "s" * 98: 2.0}))


def test_a_text_that_is_too_long_is_refused(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.write_text(TEMPLATE.read_text() + "x" * 2000)
    with pytest.raises(ValueError, match=r"The user data of group worker has \d+ bytes, and 4096"):
        boot_text(hosts.WORKER, template=template)


def test_values_of_a_worker() -> None:
    assert settings(boot_text(hosts.HPC_WORKER)) == {
        "ROLE": "worker",
        "PREFIX": "/dask-cluster/hpc",
        "AWS_DEFAULT_REGION": "us-east-2",
        "GROUP": "sim",
        "ASG": "hpc-sim",
        "ARCHIVE": f"s3://hpc-archive-0a1b2c3/archive/{hosts.SHA256}.tar",
        "ENVIRONMENT": "0123456789abcdef",
        "SECRET": hosts.HPC_WORKER.secret,
        "CERTIFICATE": "89abcdef01234567",
        "DRAIN": "28800",
        "PORTS": "9000:9099 9100:9199 9200",
        "PROCESSES": "4",
        "THREADS": "24",
        "MEMORY": str(90 * 2**30),
        "RESOURCES": "MPI=1,disk:nvme=0.5",
        "SPILL": "nvme",
        "EFS": "fs-0123456789abcdef0 /efs existing",
        "LUSTRE": "fs-0fedcba9876543210.fsx.us-east-2.amazonaws.com@tcp:/a1b2c3d4 /fsx new",
    }


def test_values_of_a_scheduler() -> None:
    found = settings(boot_text(hosts.SCHEDULER))
    assert (found["ROLE"], found["GROUP"], found["PORTS"]) == (
        "scheduler",
        "scheduler",
        "8786 8787",
    )
    assert (found["ZONE"], found["RECORD"]) == (hosts.SCHEDULER.zone_id, hosts.SCHEDULER.record)
    assert not {"PROCESSES", "EFS", "SPILL"} & found.keys()


def test_what_a_host_does_not_have_is_not_said() -> None:
    found = settings(boot_text(hosts.WORKER))
    assert not {"THREADS", "MEMORY", "RESOURCES", "SPILL", "EFS", "LUSTRE", "ZONE"} & found.keys()


def test_numbers_are_whole_where_bash_counts_with_them() -> None:
    found = settings(boot_text(hosts.LONGEST_WORKER))
    assert (found["DRAIN"], found["MEMORY"]) == ("28800", str(2**50))


def test_another_value_is_another_text() -> None:
    other = hosts.other(hosts.WORKER, fingerprint="0" * 16)
    assert boot_text(other) != boot_text(hosts.WORKER) == boot_text(hosts.other(hosts.WORKER))


HOSTILE = ["", " ", "a b", "a'b", 'a"b', "a\nb", "$(id)", "`id`", "a;b", "a\\b", "${A}", "é"]
HOSTILE += ["a\0b", "END\nid", "a\n", "*"]
TEXTS = ["cluster", "region", "group", "auto_scaling_group", "archive_bucket", "environment"]
TEXTS += ["secret", "fingerprint"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("whole", [True, False])
def test_hostile_values_are_refused(name: str, value: str, *, whole: bool) -> None:
    for host in (hosts.SCHEDULER, hosts.WORKER):
        put = value if whole else getattr(host, name) + value
        if not whole and value == "":
            continue
        with pytest.raises(ValueError, match=rf"^{name}: .* is not of the form"):
            boot_text(hosts.other(host, **{name: put}))


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_of_parts_are_refused(value: str) -> None:
    worker, scheduler = hosts.HPC_WORKER, hosts.SCHEDULER
    assert worker.efs
    assert worker.lustre
    bad: list[tuple[str, Any]] = [
        ("id", hosts.other(worker, efs=Efs(id=f"fs-{value}", path="/efs", new=True))),
        ("path", hosts.other(worker, efs=replace(worker.efs, path=f"/{value}"))),
        ("dns_name", hosts.other(worker, lustre=replace(worker.lustre, dns_name=value))),
        ("mount_name", hosts.other(worker, lustre=replace(worker.lustre, mount_name=value))),
        ("path", hosts.other(worker, lustre=replace(worker.lustre, path=value))),
        ("resources", hosts.other(worker, resources={value: 1.0})),
        ("zone_id", hosts.other(scheduler, zone_id=value)),
        ("record", hosts.other(scheduler, record=value)),
    ]
    for name, host in bad:
        with pytest.raises(ValueError, match=rf"^{name}: .* is not of the form"):
            boot_text(host)


@pytest.mark.parametrize("path", ["/", "/a/", "/a//b", "/..", "/a/../b", "/.", "efs"])
def test_a_mount_is_a_plain_path(path: str) -> None:
    with pytest.raises(ValueError, match=r"^path: "):
        boot_text(hosts.other(hosts.WORKER, efs=Efs(id="fs-0", path=path, new=True)))
    boot_text(hosts.other(hosts.WORKER, efs=Efs(id="fs-0", path="/a/b.c/..d", new=True)))


def test_a_key_that_is_not_the_hash_is_refused() -> None:
    with pytest.raises(ValueError, match=r"archive_key: .* does not end with the hash"):
        boot_text(hosts.other(hosts.WORKER, archive_sha256="0" * 64))


@pytest.mark.parametrize(
    ("name", "value"),
    [("processes", 0), ("processes", 101), ("threads", -1), ("memory", 0), ("drain_seconds", 28801),
     ("drain_seconds", 0), ("drain_seconds", float("inf")), ("drain_seconds", float("nan"))],
)  # fmt: skip
def test_numbers_have_bounds(name: str, value: float) -> None:
    with pytest.raises((ValueError, OverflowError), match=f"{name}: |infinity|NaN"):
        boot_text(hosts.other(hosts.WORKER, **{name: value}))


def test_values_are_quoted_even_though_they_are_looked_at() -> None:
    assert "RESOURCES='" not in boot_text(hosts.WORKER)
    assert "EFS='fs-0123456789abcdef0 /efs existing'" in boot_text(hosts.HPC_WORKER)


@pytest.mark.parametrize(
    ("template", "values"),
    [("a @ONE@", {}), ("a", {"ONE": "1"}), ("@ONE@ @TWO@", {"ONE": "1"}), ("@ONE", {"ONE": "1"})],
)
def test_a_template_is_filled_wholly_or_not_at_all(template: str, values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="do not fit together"):
        render(template, values)


def test_a_value_is_put_in_as_it_is() -> None:
    assert render("@A@ @B@ @A@", {"A": r"\1@B@", "B": "$"}) == r"\1@B@ $ \1@B@"


def test_configuration_of_hosts_keeps_what_is_shipped() -> None:
    placed = placed_configuration(scheduler_address="tls://scheduler.dev.x:8786")
    found = yaml.safe_load(dask_configuration({}, placed))
    assert found["scheduler-address"] == "tls://scheduler.dev.x:8786"
    assert found["temporary-directory"] == "/var/lib/dask/scratch"
    ours = found["distributed"]
    assert ours["scheduler"]["preload"][-2:] == ["dask_node.scaler", "dask_node.aws.registered"]
    assert ours["worker"]["preload"][-2:] == ["dask_node.drain", "dask_node.aws.registered"]
    assert ours["comm"]["require-encryption"] is True
    files = {"cert": "/run/dask/tls/certificate.pem", "key": "/run/dask/tls/key.pem"}
    for role in ("scheduler", "worker", "client"):
        assert ours["comm"]["tls"][role] == files
    assert ours["comm"]["tls"]["ca-file"] == "/run/dask/tls/authority.pem"


def _shellcheck(*files: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or "shellcheck"
    return subprocess.run(
        [command, "-x", *map(str, files)], input=text, capture_output=True, text=True, check=False
    )


def test_shellcheck_finds_nothing() -> None:
    scripts = sorted(TEMPLATE.parent.glob("*.sh"))
    assert {path.name for path in scripts} == {"boot.sh", "common.sh", "prepare.sh", "user-data.sh"}
    done = _shellcheck(*scripts)
    assert (done.returncode, done.stdout) == (0, "")
    done = _shellcheck("-e", "SC1090", "-", text=boot_text(hosts.HPC_WORKER))
    assert (done.returncode, done.stdout) == (0, "")
