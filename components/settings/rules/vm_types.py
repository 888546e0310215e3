"""What holds between the instance types of a group and its other keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from components.settings import ports
from components.settings.problems import Problem
from components.settings.rules import rule as rules
from components.settings.rules.every_platform import too_little_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from components.settings.instance_types import InstanceType
    from components.settings.vm_group import VmWorkerGroup

group_rule = partial(rules.group_rule, platform="vm")


def _without(group: VmWorkerGroup, has: Callable[[InstanceType], object]) -> str:
    """Name the types of a group that lack something; empty where none does."""
    return ", ".join(each.name for each in group.types if not has(each))


def _size(each: InstanceType) -> str:
    cores = "1 core" if each.cores == 1 else f"{each.cores} cores"
    return f"{each.name} has {each.vcpus} vCPUs on {cores}"


@group_rule("instance_types", "architecture")
def types_are_of_the_architecture(group: VmWorkerGroup) -> Iterator[Problem]:
    """One image and one set of packages for all workers of a group."""
    wrong = _without(group, lambda each: each.architecture == group.architecture)
    other = "arm64" if group.architecture == "x86_64" else "x86_64"
    if wrong:
        yield Problem(
            "instanceTypes",
            f"not {group.architecture}: {wrong}",
            f"Write other types, or `architecture: {other}` if all of them are.",
        )


@group_rule("instance_types")
def types_are_alike(group: VmWorkerGroup) -> Iterator[Problem]:
    """All workers of a group are laid out in the same way."""
    first, *others = group.types
    for each in others:
        if (each.vcpus, each.cores) != (first.vcpus, first.cores):
            yield Problem(
                "instanceTypes",
                f"{_size(first)}, {_size(each)}",
                "Write types that agree; others can be a group of their own.",
            )
            return


@group_rule("spot", "instance_types")
def types_can_be_had_as_spot(group: VmWorkerGroup) -> Iterator[Problem]:
    """AWS sells some types on demand only, all hpc types among them."""
    wrong = _without(group, lambda each: each.spot)
    if group.spot and wrong:
        problem = f"not to be had as spot: {wrong}"
        yield Problem("spot", problem, "Remove the line, or write other types.")


@group_rule("on_demand_floor", "spot")
def floor_is_below_spot(group: VmWorkerGroup) -> Iterator[Problem]:
    """Without spot there is nothing to put a floor under."""
    if group.on_demand_floor and not group.spot:
        problem = "without `spot` every worker is on demand"
        yield Problem("onDemandFloor", problem, "Write `spot: true`, or remove the line.")


@group_rule("on_demand_floor", "workers")
def floor_is_within_workers(group: VmWorkerGroup) -> Iterator[Problem]:
    """A floor above the least number of workers would not be kept."""
    if group.on_demand_floor > group.workers:
        problem = f"{group.on_demand_floor} is more than workers ({group.workers})"
        yield Problem("onDemandFloor", problem, f"Write at most `{group.workers}`.")


@group_rule("threads_per_core", "instance_types")
def threads_per_core_are_allowed(group: VmWorkerGroup) -> Iterator[Problem]:
    """EC2 refuses to launch what a type cannot do."""
    wanted = group.threads_per_core
    wrong = _without(group, lambda each: wanted in each.threads_per_core)
    if wanted is not None and wrong:
        problem = f"{wanted} is not possible on {wrong}"
        yield Problem("threadsPerCore", problem, "Remove the line, or write other types.")


@group_rule("processes", "instance_types", "threads_per_core")
def vcpus_split_evenly(group: VmWorkerGroup) -> Iterator[Problem]:
    """A thread belongs to one process, and a worker has a thread for each vCPU."""
    count, threads = group.layout.processes, group.place.threads
    if threads % count:
        yield Problem(
            "processes",
            f"{threads} vCPUs cannot be split over {count} processes",
            f"Write a number that divides {threads}, or `auto`.",
        )


@group_rule("instance_types", "processes", "threads_per_core")
def instances_have_memory(group: VmWorkerGroup) -> Iterator[Problem]:
    """A part of the memory is the system's; an idle Dask process takes about 100 MiB."""
    remedy = "Write types with more, or fewer `processes`: `{least}` must be left for Dask."
    yield from too_little_memory("instanceTypes", group, remedy)


@group_rule("processes", "instance_types", "threads_per_core")
def instances_have_ports(group: VmWorkerGroup) -> Iterator[Problem]:
    """The firewall lets in the fixed ranges of ports, one port of each for a process."""
    most = ports.PROCESSES_ON_A_MACHINE
    if group.layout.processes > most:
        problem = f"{group.layout.processes} processes, and one instance has ports for {most}"
        yield Problem("processes", problem, f"Write at most `{most}`, or `auto`.")


@group_rule("spill_to_nvme", "instance_types")
def types_have_nvme(group: VmWorkerGroup) -> Iterator[Problem]:
    """Every worker of a group spills to the same place."""
    wrong = _without(group, lambda each: each.nvme)
    if group.spill_to_nvme and wrong:
        remedy = "Remove the line, or write types with a `d`, such as `m7gd` or `m6id`."
        yield Problem("spillToNvme", f"no local NVMe disks: {wrong}", remedy)


@group_rule("network", "instance_types")
def types_have_ena_express(group: VmWorkerGroup) -> Iterator[Problem]:
    """ENA Express is of large types: from 8xlarge or 12xlarge, as the generation is."""
    wrong = _without(group, lambda each: each.ena_express)
    if group.network == "enaExpress" and wrong:
        problem = f"no ENA Express: {wrong}"
        yield Problem("network", problem, "Remove the line, or write larger types.")


@group_rule("network", "instance_types")
def types_have_efa(group: VmWorkerGroup) -> Iterator[Problem]:
    """EFA is of large types with the right network cards."""
    wrong = _without(group, lambda each: each.efa_interfaces)
    if group.network == "efa" and wrong:
        remedy = "Remove the line, or write for example `hpc7a.96xlarge`."
        yield Problem("network", f"no EFA: {wrong}", remedy)


@group_rule("network", "instance_types")
def efa_is_for_one_type(group: VmWorkerGroup) -> Iterator[Problem]:
    """The interfaces are laid over the network cards, and those differ between types."""
    if group.network == "efa" and len(group.instance_types) > 1:
        problem = f"efa with {len(group.instance_types)} instance types"
        yield Problem("network", problem, "Keep one of the types.")
