"""The VM platform's models: what a worker has, how a VPC is cut, and models made by hand."""

import ipaddress
import json
from typing import Any

import pytest

from components.settings import (
    Efs,
    Layout,
    LocalSettings,
    Lustre,
    Settings,
    SettingsError,
    VmSettings,
    VmWorkerGroup,
    Vpc,
    load,
)
from components.settings.worker_group import WorkerGroup

GIB, MIB = 2**30, 2**20


def stack(**more: Any) -> VmSettings:  # noqa: ANN401
    least = {
        "workers": 2,
        "region": "us-east-2",
        "vpc": Vpc(zones=("us-east-2a",)),
        "instance_types": ("m7i.large",),
    }
    return VmSettings(platform="vm", **(least | more))


def group(*types: str, **more: Any) -> VmWorkerGroup:  # noqa: ANN401
    return VmWorkerGroup(workers=1, instance_types=types, **more)


def test_a_worker_has_the_threads_of_its_type_and_most_of_its_memory() -> None:
    assert group("m7i.2xlarge").layout == Layout(
        processes=1, threads=8, memory=32 * GIB * 92 // 100 - 512 * MIB, resources={}
    )


@pytest.mark.parametrize(
    ("name", "per_core", "threads"),
    [
        ("m7i.2xlarge", None, 8),
        ("m7i.2xlarge", 2, 8),
        ("m7i.2xlarge", 1, 4),
        ("m7a.2xlarge", None, 8),
        ("m7a.2xlarge", 1, 8),
        ("hpc7a.96xlarge", 1, 192),
        ("c7i.metal-24xl", None, 96),
    ],
)
def test_threads_per_core(name: str, per_core: int | None, threads: int) -> None:
    assert group(name, threads_per_core=per_core).place.threads == threads
    assert group(name, threads_per_core=per_core).layout.threads == threads


@pytest.mark.parametrize("types", [("m7i.2xlarge", "c7i.2xlarge"), ("c7i.2xlarge", "m7i.2xlarge")])
def test_the_smallest_type_is_the_measure(types: tuple[str, ...]) -> None:
    assert group(*types).place.memory == 16 * GIB * 92 // 100 - 512 * MIB


def test_a_worker_is_split_over_its_processes() -> None:
    split = group("m7i.4xlarge", processes=4, resources={"GPU": 8})
    whole = 64 * GIB * 92 // 100 - 512 * MIB
    assert split.layout == Layout(processes=4, threads=4, memory=whole // 4, resources={"GPU": 2.0})


@pytest.mark.parametrize(("per_core", "processes"), [(None, 4), (1, 4)])
def test_auto_is_dasks_choice_for_the_vcpus(per_core: int | None, processes: int) -> None:
    layout = group("m7i.2xlarge", processes="auto", threads_per_core=per_core).layout
    assert (layout.processes, layout.threads) == (processes, (8 if per_core is None else 4) // 4)


def test_the_facts_of_the_types_are_at_hand_as_they_are_written() -> None:
    assert [each.name for each in group("m6i.large", "m7i.large").types] == [
        "m6i.large",
        "m7i.large",
    ]


def test_groups_are_those_of_the_platform() -> None:
    settings = stack(groups={"big": group("r7i.8xlarge")})
    assert list(settings.worker_groups) == ["worker", "big"]
    assert settings.worker_groups["worker"] is settings
    assert {type(each) for each in settings.groups.values()} == {VmWorkerGroup}
    assert VmSettings.group_model is VmWorkerGroup
    assert isinstance(settings, VmWorkerGroup)


@pytest.mark.parametrize("model", [WorkerGroup, Settings])
def test_what_every_platform_has_is_no_platform(model: type[WorkerGroup]) -> None:
    with pytest.raises(TypeError, match="abstract"):
        model(workers=1)


def test_a_group_of_another_platform_is_refused() -> None:
    local = LocalSettings(platform="local", workers=1)
    with pytest.raises(ValueError, match=r"groups\.a"):
        stack(groups={"a": local})


def test_the_rules_hold_for_a_model_made_by_hand() -> None:
    with pytest.raises(SettingsError, match=r"onDemandFloor +without `spot`"):
        stack(on_demand_floor=1)
    with pytest.raises(SettingsError, match=r"groups\.a\.network +no EFA"):
        stack(groups={"a": group("m7i.large", network="efa", placement_group=True)})


@pytest.mark.parametrize("letters", ["a", "ab", "abc", "abcd", "abcdef"])
@pytest.mark.parametrize("prefix", [16, 20, 22])
def test_a_new_vpc_is_cut_into_subnets_that_do_not_meet(letters: str, prefix: int) -> None:
    zones = tuple(f"us-east-1{each}" for each in letters)
    vpc = Vpc(zones=zones, cidr=f"10.64.0.0/{prefix}")
    whole = ipaddress.IPv4Network(vpc.cidr)
    assert list(vpc.private_subnets) == list(vpc.public_subnets) == list(zones) == list(vpc.places)
    ranges = [*vpc.private_subnets.values(), *vpc.public_subnets.values()]
    networks = list(map(ipaddress.IPv4Network, ranges))
    assert all(each.subnet_of(whole) and each.prefixlen <= 28 for each in networks)
    for index, each in enumerate(networks):
        assert not any(each.overlaps(other) for other in networks[:index])
    private = [ipaddress.IPv4Network(each) for each in vpc.private_subnets.values()]
    # An eighth for each zone, whichever others there are.
    assert {each.prefixlen for each in private} == {prefix + 3}
    assert Vpc(zones=zones[-1:], cidr=vpc.cidr).private_subnets.items() <= (
        vpc.private_subnets.items()
    )


def test_the_subnets_of_a_new_vpc() -> None:
    vpc = Vpc(zones=("us-east-1a", "us-east-1b"))
    assert vpc.is_new
    assert vpc.private_subnets == {"us-east-1a": "10.0.0.0/19", "us-east-1b": "10.0.32.0/19"}
    assert vpc.public_subnets == {"us-east-1a": "10.0.224.0/28", "us-east-1b": "10.0.224.16/28"}


def test_a_narrow_vpc_has_room_for_some_public_subnets() -> None:
    vpc = Vpc(zones=tuple(f"us-east-1{each}" for each in "abcdef"), cidr="10.0.0.0/24")
    assert list(vpc.public_subnets) == ["us-east-1a", "us-east-1b"]


def test_an_existing_vpc_is_cut_into_nothing() -> None:
    vpc = Vpc(id="vpc-01234567", subnets=("subnet-01234567",))
    assert not vpc.is_new
    assert vpc.places == ("subnet-01234567",)
    assert vpc.private_subnets == {}


@pytest.mark.parametrize(
    ("workers", "right"), [(23, True), (24, False)], ids=["just fits", "one too many"]
)
def test_a_full_subnet(workers: int, right: bool) -> None:  # noqa: FBT001
    """A /27 has 32 addresses: 5 are AWS's, 4 are for what stands beside the workers."""
    vpc = Vpc(zones=("us-east-2a",), cidr="10.0.0.0/24")
    if right:
        assert stack(vpc=vpc, workers=workers).workers == workers
    else:
        with pytest.raises(SettingsError, match="has addresses for 23 workers"):
            stack(vpc=vpc, workers=workers)


@pytest.mark.parametrize(("seconds", "right"), [(8 * 3600, True), (8 * 3600 + 1, False)])
def test_the_longest_drain(seconds: float, right: bool) -> None:  # noqa: FBT001
    if right:
        assert stack(drain_timeout=seconds).drain_timeout == seconds
    else:
        with pytest.raises(SettingsError, match="drainTimeout"):
            stack(drain_timeout=seconds)


@pytest.mark.parametrize(("processes", "right"), [(96, True), (192, False)])
def test_an_instance_has_ports_for_so_many_processes(processes: int, right: bool) -> None:  # noqa: FBT001
    if right:
        assert stack(instance_types=("m7i.48xlarge",), processes=processes).layout.threads == 2
    else:
        with pytest.raises(SettingsError, match="ports for 100"):
            stack(instance_types=("m7i.48xlarge",), processes=processes)


def test_the_last_port_may_be_taken() -> None:
    """No type has a number of vCPUs that 100 divides, and that is all that is wrong."""
    with pytest.raises(SettingsError) as caught:
        stack(instance_types=("m7i.48xlarge",), processes=100)
    assert [each.rule for each in caught.value.problems] == ["vcpus_split_evenly"]


@pytest.mark.parametrize("written", ["null", "", None])
def test_no_file_system(written: Any) -> None:  # noqa: ANN401
    assert read(efs=written, lustre=written).efs is None
    assert read(efs=written, lustre=written).lustre is None


def test_an_empty_mapping_is_a_new_file_system() -> None:
    assert read(efs={}).efs == read(efs="{}").efs == Efs(mount="/efs", id=None)
    assert read(lustre={"size": "1200 GiB"}).lustre == Lustre(size=1200 * GIB)


def read(**more: Any) -> VmSettings:  # noqa: ANN401
    least = {
        "platform": "vm",
        "workers": "2",
        "region": "us-east-2",
        "vpc": '{"zones": ["us-east-2a"]}',
        "instanceTypes": json.dumps(["m7i.large"]),
    }
    found = load({f"dask-cluster:{key}": value for key, value in (least | more).items()})
    assert isinstance(found, VmSettings)
    return found


ALLOWED_TOGETHER: list[dict[str, Any]] = [
    {"spot": True, "on_demand_floor": 2},
    {"spot": True, "max_workers": 9, "on_demand_floor": 0},
    {"all_or_nothing": True, "idle_stop": 60.0, "no_client_stop": 60.0},
    {"capacity_reservation": "cr-01234567", "placement_group": True},
    {"instance_types": ("m7i.48xlarge",), "network": "enaExpress"},
    {"instance_types": ("m7i.48xlarge",), "network": "efa", "placement_group": True},
    {"instance_types": ("m7g.large",), "architecture": "arm64"},
    {"instance_types": ("m6id.large", "m5d.large"), "spill_to_nvme": True, "placement_group": True},
    {"scheduler_instance_type": "m7g.large", "images": {"arm64": "ami-01234567"}},
    {"monthly_budget": 1, "alarm_emails": ("a@example.org",)},
    {"alarm_emails": ("a@example.org",)},
    {"efs": Efs(mount="/data"), "lustre": Lustre(mount="/data2", size=1200 * GIB)},
    {"lustre": Lustre(id="fs-01234567", mount_name="abc")},
    {"vpc": Vpc(zones=("us-east-2a", "us-east-2b")), "instance_types": ("m7i.large",)},
    {
        "vpc": Vpc(zones=("us-east-2a", "us-east-2b")),
        "instance_types": ("c7i.48xlarge",),
        "network": "enaExpress",
    },
]


@pytest.mark.parametrize("keys", ALLOWED_TOGETHER, ids="+".join)
def test_what_may_stand_together(keys: dict[str, Any]) -> None:
    settings = stack(**keys)
    assert {key: getattr(settings, key) for key in keys} == keys
