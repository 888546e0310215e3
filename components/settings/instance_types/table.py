"""The two files of the table as text: what a type is, and which zones have it."""

import csv
import io
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Architecture = Literal["x86_64", "arm64"]

_MIB, _GB = 2**20, 10**9
_COLUMNS = (
    "type", "vcpus", "cores", "threads_per_core", "mib", "architecture", "nvme_gb", "gpus", "efa",
    "cards", "flags",
)  # fmt: skip
_FLAGS = {"spot": "s", "ena_express": "e", "cluster_placement": "c"}
_WIDTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """An EC2 instance type.

    Attributes:
        name: Such as ``m7i.large``.
        vcpus: vCPUs with its own number of threads for each core.
        cores: Physical cores.
        threads_per_core: The numbers of threads for each core that may be asked for.
        memory: Bytes.
        architecture: Of its processors.
        spot: Whether it can be had as spot.
        nvme: Bytes of local NVMe disks; 0 where there are none.
        gpus: GPUs or other accelerators.
        efa_interfaces: Most EFA interfaces; 0 where EFA is not supported.
        card_interfaces: Most network interfaces of each of its network cards.
        ena_express: Whether ENA Express is supported.
        cluster_placement: Whether it may be in a cluster placement group.
    """

    name: str
    vcpus: int
    cores: int
    threads_per_core: tuple[int, ...]
    memory: int
    architecture: Architecture
    spot: bool
    nvme: int
    gpus: int
    efa_interfaces: int
    card_interfaces: tuple[int, ...]
    ena_express: bool
    cluster_placement: bool

    @property
    def network_cards(self) -> int:
        """How many network cards it has."""
        return len(self.card_interfaces)


def family(name: str) -> str:
    """Return the family of a type: ``m7i`` of ``m7i.large``."""
    return name.partition(".")[0]


def read_types(text: str) -> dict[str, InstanceType]:
    """Read the types, by name, from what `write_types` wrote."""
    rows = csv.reader(text.splitlines()[1:])
    return {row[0]: _type(row) for row in rows}


def _type(row: list[str]) -> InstanceType:
    name, vcpus, cores, threads, mib, architecture, nvme, gpus, efa, cards, flags = row
    return InstanceType(
        name=name,
        vcpus=int(vcpus),
        cores=int(cores),
        threads_per_core=tuple(map(int, threads.split())),
        memory=int(mib) * _MIB,
        architecture="arm64" if architecture == "arm64" else "x86_64",
        nvme=int(nvme) * _GB,
        gpus=int(gpus),
        efa_interfaces=int(efa),
        card_interfaces=tuple(map(int, cards.split())),
        spot=_FLAGS["spot"] in flags,
        ena_express=_FLAGS["ena_express"] in flags,
        cluster_placement=_FLAGS["cluster_placement"] in flags,
    )


def write_types(types: Iterable[InstanceType]) -> str:
    """Write types as CSV, sorted by family and size."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for each in sorted(types, key=lambda each: (family(each.name), each.vcpus, each.name)):
        cards = " ".join(map(str, each.card_interfaces))
        flags = "".join(letter for name, letter in _FLAGS.items() if getattr(each, name))
        threads = " ".join(map(str, each.threads_per_core))
        cpus = (each.vcpus, each.cores, threads, each.memory // _MIB, each.architecture)
        rest = (each.nvme // _GB, each.gpus, each.efa_interfaces, cards, flags)
        writer.writerow((each.name, *cpus, *rest))
    return out.getvalue()


def zones_of(region: str, text: str) -> dict[str, str] | None:
    """Read one region: the letters of the zones by type, or by family for all of its types."""
    lines = [each.split() for each in text.splitlines() if each.startswith(f"{region} ")]
    return {name: letters for _, letters, *some in lines for name in some} if lines else None


def write_offerings(
    offerings: Mapping[str, Mapping[str, str]], types: Mapping[str, InstanceType]
) -> str:
    """Write which zones have which types: a line is a region, letters of zones, and names.

    Args:
        offerings: By region, the letters of the zones by type.
        types: All types of the table; a family stands for all of its types.
    """
    families: dict[str, set[str]] = {}
    for name in types:
        families.setdefault(family(name), set()).add(name)
    lines = []
    for region, zones in sorted(offerings.items()):
        sets: dict[str, set[str]] = {}
        for name in zones.keys() & types.keys():
            sets.setdefault(zones[name], set()).add(name)
        for letters, some in sorted(sets.items()):
            whole = {name for name, members in families.items() if members <= some}
            rest = {name for name in some if family(name) not in whole}
            start = f"{region} {letters} "
            names = " ".join(sorted(whole | rest))
            lines += textwrap.wrap(
                names, _WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False
            )
    return "\n".join(lines) + "\n"


def read_offerings(text: str, types: Mapping[str, InstanceType]) -> dict[str, dict[str, str]]:
    """Read what `write_offerings` wrote, families taken apart again."""
    found: dict[str, dict[str, str]] = {}
    for region in dict.fromkeys(line.split()[0] for line in text.splitlines()):
        zones = zones_of(region, text) or {}
        letters = {name: zones.get(name) or zones.get(family(name)) for name in types}
        found[region] = {name: each for name, each in letters.items() if each}
    return found
