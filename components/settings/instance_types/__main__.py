"""Make the table of instance types.

Without arguments from the data that moto brings, which needs no account; with `--aws REGION` one
region is renewed from what EC2 says of it to your account. The other regions stay as they are.
"""

import argparse
import gzip
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from components.settings.instance_types import OFFERINGS, TYPES
from components.settings.instance_types.table import (
    Architecture,
    InstanceType,
    read_offerings,
    read_types,
    write_offerings,
    write_types,
)

_ACCELERATED = re.compile(r"(?:p|g|gr|trn|inf|dl|f|vt)\d")

Types = dict[str, InstanceType]
Offerings = dict[str, dict[str, str]]

_ACCELERATORS = {
    "GpuInfo": "Gpus",
    "NeuronInfo": "NeuronDevices",
    "InferenceAcceleratorInfo": "Accelerators",
    "MediaAcceleratorInfo": "Accelerators",
    "FpgaInfo": "Fpgas",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: it writes the two files of the table."""
    parser = argparse.ArgumentParser(
        prog="python -m components.settings.instance_types", description=__doc__
    )
    parser.add_argument("--aws", metavar="REGION", help="ask EC2 about one region")
    parser.add_argument("--folder", type=Path, default=TYPES.parent, help="where the table is")
    chosen = parser.parse_args(arguments)
    if chosen.aws:
        types, offerings = renewed(chosen.aws, chosen.folder)
    else:
        types, offerings = from_moto()
    (chosen.folder / TYPES.name).write_text(write_types(types.values()), encoding="utf-8")
    text = write_offerings(offerings, types)
    (chosen.folder / OFFERINGS.name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(types)} instance types, {len(offerings)} regions\n")
    return 0


def from_moto() -> tuple[Types, Offerings]:
    """Return all types and the zones of all regions that moto knows."""
    resources = files("moto.ec2").joinpath("resources")
    described = json.loads(
        gzip.decompress(resources.joinpath("instance_types.json.gz").read_bytes())
    )
    zones = resources.joinpath("instance_type_offerings", "availability-zone")
    offerings = {}
    for file in zones.iterdir():
        region = file.name.partition(".")[0]
        offerings[region] = by_type(region, json.loads(gzip.decompress(file.read_bytes())))
    return usable(described.values()), offerings


def renewed(region: str, folder: Path) -> tuple[Types, Offerings]:
    """Return the table in a folder with one region as EC2 describes it to this account.

    Raises:
        botocore.exceptions.ClientError: EC2 does not answer these credentials.
    """
    import boto3  # noqa: PLC0415  # only this command calls AWS

    types = read_types((folder / TYPES.name).read_text(encoding="utf-8"))
    offerings = read_offerings((folder / OFFERINGS.name).read_text(encoding="utf-8"), types)
    ec2 = boto3.client("ec2", region_name=region)
    described = ec2.get_paginator("describe_instance_types").paginate()
    types |= usable(each for page in described for each in page["InstanceTypes"])
    offered = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone"
    )
    pairs = [each for page in offered for each in page["InstanceTypeOfferings"]]
    offerings[region] = by_type(region, pairs)
    return types, offerings


def by_type(region: str, pairs: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the letters of the zones that have each type; local zones are left out."""
    found: dict[str, set[str]] = {}
    for each in pairs:
        zone = re.fullmatch(rf"{region}([a-z])", each["Location"])
        if zone:
            found.setdefault(each["InstanceType"], set()).add(zone[1])
    return {name: "".join(sorted(letters)) for name, letters in found.items()}


def usable(described: Iterable[Mapping[str, Any]]) -> Types:
    """Return the types on which a cluster can run: Nitro or bare metal, and no Mac."""
    found = (_type(each) for each in described if _runs_a_cluster(each))
    return {each.name: each for each in found}


def _runs_a_cluster(described: Mapping[str, Any]) -> bool:
    nitro = described.get("Hypervisor") == "nitro" or described["BareMetal"]
    return bool(nitro) and not described["InstanceType"].startswith("mac")


def _type(described: Mapping[str, Any]) -> InstanceType:
    cpus, network = described["VCpuInfo"], described["NetworkInfo"]
    architectures = described["ProcessorInfo"]["SupportedArchitectures"]
    architecture: Architecture = "x86_64" if "x86_64" in architectures else "arm64"
    return InstanceType(
        name=described["InstanceType"],
        vcpus=cpus["DefaultVCpus"],
        cores=cpus["DefaultCores"],
        threads_per_core=tuple(
            sorted(cpus.get("ValidThreadsPerCore") or [cpus["DefaultThreadsPerCore"]])
        ),
        memory=described["MemoryInfo"]["SizeInMiB"] * 2**20,
        architecture=architecture,
        spot="spot" in described["SupportedUsageClasses"],
        nvme=_nvme(described.get("InstanceStorageInfo", {})),
        gpus=_accelerators(described),
        efa_interfaces=network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0),
        card_interfaces=tuple(
            each["MaximumNetworkInterfaces"]
            for each in sorted(network["NetworkCards"], key=lambda card: card["NetworkCardIndex"])
        ),
        ena_express=bool(network.get("EnaSrdSupported")),
        cluster_placement="cluster" in described["PlacementGroupInfo"]["SupportedStrategies"],
    )


def _nvme(storage: Mapping[str, Any]) -> int:
    """Return the bytes of local NVMe; hard disks are no place to spill to."""
    if storage.get("NvmeSupport", "unsupported") == "unsupported":
        return 0
    disks = [each for each in storage["Disks"] if each["Type"] == "ssd"]
    return sum(int(each["Count"]) * int(each["SizeInGB"]) for each in disks) * 10**9


def _accelerators(described: Mapping[str, Any]) -> int:
    # Part of a GPU is counted by AWS as none. One chip may be described as two kinds.
    kinds = (described.get(info, {}).get(devices, []) for info, devices in _ACCELERATORS.items())
    found = max(sum(max(1, int(each.get("Count", 0))) for each in kind) for kind in kinds)
    # Of some AWS describes none, such as trn2u.
    return found or int(bool(_ACCELERATED.match(described["InstanceType"])))


if __name__ == "__main__":
    sys.exit(main())
