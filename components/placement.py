"""Where a group's machines stand and how they are wired: network cards, threads, reservations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_aws.ec2 import (
    LaunchTemplateCapacityReservationSpecificationArgs,
    LaunchTemplateCapacityReservationSpecificationCapacityReservationTargetArgs,
    LaunchTemplateCpuOptionsArgs,
    LaunchTemplateNetworkInterfaceArgs,
    LaunchTemplateNetworkInterfaceEnaSrdSpecificationArgs,
    LaunchTemplateNetworkInterfaceEnaSrdSpecificationEnaSrdUdpSpecificationArgs,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pulumi

    from components.settings import VmWorkerGroup
    from components.settings.instance_types import InstanceType

PLAIN, EFA, EFA_ONLY = "interface", "efa", "efa-only"


def plain(
    security_groups: Sequence[pulumi.Input[str]],
) -> list[LaunchTemplateNetworkInterfaceArgs]:
    """Return the one network interface of a machine without any special network."""
    return [_interface(0, 0, PLAIN, security_groups)]


def interfaces(
    group: VmWorkerGroup, machine: InstanceType, security_groups: Sequence[pulumi.Input[str]]
) -> list[LaunchTemplateNetworkInterfaceArgs]:
    """Return the network interfaces of each machine of a group.

    Args:
        group: The group.
        machine: Its instance type; with several they are alike in what matters here.
        security_groups: Of every interface: with more than one they are named here and nowhere
            else.
    """
    express = _express() if group.network == "enaExpress" else None
    return [
        _interface(card, device, kind, security_groups, express)
        for card, device, kind in _plan(group, machine)
    ]


def _interface(
    card: int,
    device: int,
    kind: str,
    security_groups: Sequence[pulumi.Input[str]],
    express: LaunchTemplateNetworkInterfaceEnaSrdSpecificationArgs | None = None,
) -> LaunchTemplateNetworkInterfaceArgs:
    return LaunchTemplateNetworkInterfaceArgs(
        network_card_index=card,
        device_index=device,
        interface_type=kind,
        # Only the first interface of a machine could have one, and none has.
        associate_public_ip_address="false" if card == device == 0 else None,
        delete_on_termination="true",
        security_groups=list(security_groups),
        ena_srd_specification=express,
    )


def _plan(group: VmWorkerGroup, machine: InstanceType) -> list[tuple[int, int, str]]:
    """Return card, device and kind of each interface.

    With EFA the first card carries Dask's TCP and, beside it, an adapter without an address; each
    further card carries one such adapter. A card that holds one interface only gets one that does
    both. This is what AWS ParallelCluster 3.16 does (``queues_stack.py``).
    """
    if group.network != "efa":
        return [(0, 0, PLAIN)]
    on_first = machine.efa_interfaces >= machine.network_cards
    room = machine.card_interfaces
    if not on_first:
        first = [(0, 0, PLAIN)]
    elif room[0] == 1:
        first = [(0, 0, EFA)]
    else:
        first = [(0, 0, PLAIN), (0, 1, EFA_ONLY)]
    others = range(1, machine.network_cards)
    return [*first, *((card, 0 if room[card] == 1 else 1, EFA_ONLY) for card in others)]


def _express() -> LaunchTemplateNetworkInterfaceEnaSrdSpecificationArgs:
    """Turn ENA Express on: one TCP stream then takes 25 Gbit/s and not 5 ("ENA Express", EC2)."""
    return LaunchTemplateNetworkInterfaceEnaSrdSpecificationArgs(
        ena_srd_enabled=True,
        ena_srd_udp_specification=(
            LaunchTemplateNetworkInterfaceEnaSrdSpecificationEnaSrdUdpSpecificationArgs(
                ena_srd_udp_enabled=True
            )
        ),
    )


def cpu_options(group: VmWorkerGroup, machine: InstanceType) -> LaunchTemplateCpuOptionsArgs | None:
    """Return the threads per core that the stack file asks for, where the type has a choice.

    EC2 refuses the option for a type that knows one value only, and wants both numbers.
    """
    if group.threads_per_core is None or len(machine.threads_per_core) == 1:
        return None
    return LaunchTemplateCpuOptionsArgs(
        core_count=machine.cores, threads_per_core=group.threads_per_core
    )


def capacity_reservation(
    group: VmWorkerGroup,
) -> LaunchTemplateCapacityReservationSpecificationArgs | None:
    """Return the reservation in which the machines start, if the stack file names one."""
    if group.capacity_reservation is None:
        return None
    target = LaunchTemplateCapacityReservationSpecificationCapacityReservationTargetArgs(
        capacity_reservation_id=group.capacity_reservation
    )
    return LaunchTemplateCapacityReservationSpecificationArgs(capacity_reservation_target=target)
