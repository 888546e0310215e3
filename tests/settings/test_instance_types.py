"""The table of instance types: where it comes from, and facts that AWS documents."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from components.settings import instance_types
from components.settings.instance_types import InstanceType, facts, offered, zones_with
from components.settings.instance_types.__main__ import by_type, from_moto, main, usable
from components.settings.instance_types.table import (
    read_offerings,
    read_types,
    write_offerings,
    write_types,
)

ROOT = Path(__file__).resolve().parents[2]
FILES = (instance_types.TYPES, instance_types.OFFERINGS)
RENEW = "stale: run `python -m components.settings.instance_types`"


def test_the_table_is_what_the_script_makes_of_the_installed_moto(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "components.settings.instance_types", "--folder", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{len(instance_types.names())} instance types, 30 regions\n"
    for each in FILES:
        assert (tmp_path / each.name).read_text() == each.read_text(), RENEW


def test_the_table_reads_back_as_it_was() -> None:
    types, offerings = from_moto()
    assert read_types(write_types(types.values())) == types
    kept = {
        region: {name: letters for name, letters in zones.items() if name in types}
        for region, zones in offerings.items()
    }
    assert read_offerings(write_offerings(offerings, types), types) == kept
    assert sum(map(len, kept.values())) > 20_000


@pytest.mark.parametrize("each", FILES, ids=lambda each: each.name)
def test_the_table_is_small(each: Path) -> None:
    assert each.stat().st_size < 100_000
    assert max(map(len, each.read_text().splitlines())) <= 120


GIB = 2**30
KNOWN = [
    InstanceType(
        name="m7i.2xlarge", vcpus=8, cores=4, threads_per_core=(1, 2), memory=32 * GIB,
        architecture="x86_64", spot=True, nvme=0, gpus=0, efa_interfaces=0, card_interfaces=(4,),
        ena_express=False, cluster_placement=True,
    ),
    InstanceType(
        name="hpc7a.96xlarge", vcpus=192, cores=192, threads_per_core=(1,), memory=768 * GIB,
        architecture="x86_64", spot=False, nvme=0, gpus=0, efa_interfaces=2,
        card_interfaces=(2, 2), ena_express=False, cluster_placement=True,
    ),
    InstanceType(
        name="c6gd.4xlarge", vcpus=16, cores=16, threads_per_core=(1,), memory=32 * GIB,
        architecture="arm64", spot=True, nvme=950 * 10**9, gpus=0, efa_interfaces=0,
        card_interfaces=(8,), ena_express=False, cluster_placement=True,
    ),
    InstanceType(
        name="t3.micro", vcpus=2, cores=1, threads_per_core=(1, 2), memory=1 * GIB,
        architecture="x86_64", spot=True, nvme=0, gpus=0, efa_interfaces=0, card_interfaces=(2,),
        ena_express=False, cluster_placement=False,
    ),
]  # fmt: skip


@pytest.mark.parametrize("known", KNOWN, ids=lambda each: each.name)
def test_what_aws_documents(known: InstanceType) -> None:
    assert facts(known.name) == known
    assert known.network_cards == len(known.card_interfaces)


def found() -> Iterator[InstanceType]:
    for name in instance_types.names():
        each = facts(name)
        assert each is not None
        yield each


def test_every_type_makes_sense() -> None:
    assert len(instance_types.names()) > 1000
    for each in found():
        assert each.threads_per_core in {(1,), (2,), (1, 2)}, each.name
        assert each.vcpus in {each.cores * n for n in each.threads_per_core}, each.name
        assert each.memory >= GIB // 2, each.name
        assert each.card_interfaces, each.name
        assert min(each.card_interfaces) >= 1, each.name


def test_families_that_people_name_are_there() -> None:
    families = {each.name.partition(".")[0] for each in found()}
    wanted = "m5 m6i m7i m7a m7g m8g m8i c5 c6i c7i c7g c7gn c8g r5 r6i r7i r7iz r8g i3en i4i i7ie"
    more = "x2idn x2iedn t3 t4g hpc6a hpc6id hpc7a hpc7g hpc8a g5 p5 inf2 trn1 m6id r6gd c5n"
    assert families >= set(f"{wanted} {more}".split())
    assert not families & {"t2", "mac2", "m4", "c4", "i3"}


def test_accelerators_are_counted() -> None:
    known = {
        "p5.48xlarge": 8,
        "g6f.large": 1,  # a part of one
        "inf2.48xlarge": 12,
        "f2.6xlarge": 1,
        "trn1.32xlarge": 16,
        "trn2u.48xlarge": 1,  # AWS describes none
    }
    assert {each.name: each.gpus for each in found() if each.name in known} == known
    kinds = ("p", "g", "inf", "trn", "f", "vt", "dl")
    for each in found():
        assert bool(each.gpus) == each.name.startswith(kinds), each.name


def test_hpc_types_are_never_spot() -> None:
    hpc = [each for each in found() if each.name.startswith("hpc")]
    assert len(hpc) > 5
    assert not [each.name for each in hpc if each.spot or not each.efa_interfaces]


def test_hard_disks_are_no_place_to_spill_to() -> None:
    disks = {name: each.nvme for name in ("d3.xlarge", "i3en.large") if (each := facts(name))}
    assert disks == {"d3.xlarge": 0, "i3en.large": 1250 * 10**9}


def test_what_is_not_in_the_table() -> None:
    assert facts("m7i.huge") is None
    assert offered("m7i.large", "mx-central-1a") is None
    assert zones_with("m7i.large", "mx-central-1") == ()
    assert offered("m7i.huge", "us-east-2a") is False


def test_zones_have_types() -> None:
    assert zones_with("hpc7a.96xlarge", "us-east-2") == ("us-east-2b",)
    assert offered("hpc7a.96xlarge", "us-east-2b") is True
    assert offered("hpc7a.96xlarge", "us-east-2a") is False
    assert zones_with("hpc7g.16xlarge", "us-east-2") == ()
    assert "us-east-1e" not in zones_with("m7i.large", "us-east-1")
    assert len(zones_with("m7i.large", "us-east-1")) == 5


def test_local_zones_are_left_out() -> None:
    pairs = [
        {"InstanceType": "m7i.large", "Location": each}
        for each in ("us-east-1b", "us-east-1a", "us-east-1-bos-1a", "us-east-1-wl1-atl-wlz-1")
    ]
    assert by_type("us-east-1", pairs) == {"m7i.large": "ab"}


def test_types_without_nitro_and_macs_are_left_out() -> None:
    left_out = [
        {"InstanceType": "t2.micro", "Hypervisor": "xen", "BareMetal": False},
        {"InstanceType": "mac2.metal", "BareMetal": True},
    ]
    assert usable(left_out) == {}


def test_aws_renews_one_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EC2 as moto answers for it: the region comes back, and the others stay."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    types, offerings = from_moto()
    fewer = {name: each for name, each in types.items() if not name.startswith("m7i.")}
    less = offerings | {"us-east-2": {"m5.large": "a"}, "eu-west-1": {"m5.large": "b"}}
    (tmp_path / instance_types.TYPES.name).write_text(write_types(fewer.values()))
    (tmp_path / instance_types.OFFERINGS.name).write_text(write_offerings(less, fewer))
    with mock_aws():
        assert main(["--aws", "us-east-2", "--folder", str(tmp_path)]) == 0
    again = read_types((tmp_path / instance_types.TYPES.name).read_text())
    assert again == types
    text = (tmp_path / instance_types.OFFERINGS.name).read_text()
    zones = read_offerings(text, again)
    assert zones["us-east-2"] == {n: z for n, z in offerings["us-east-2"].items() if n in types}
    assert zones["eu-west-1"] == {"m5.large": "b"}
