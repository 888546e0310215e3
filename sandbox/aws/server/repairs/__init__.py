"""What moto lacks or does otherwise than AWS, one module for each subject."""

from types import ModuleType
from typing import Final

from sandbox.aws.server import groups
from sandbox.aws.server.repairs import (
    accounts,
    alarms,
    bucket_policies,
    buckets,
    budgets,
    filesystems,
    gateways,
    instances,
    launch_templates,
    network,
    parameters,
    placement_groups,
    policies,
    records,
    rules,
    secrets,
    sessions,
    zones,
)

ALL: Final[tuple[ModuleType, ...]] = (
    accounts,
    parameters,
    groups,
    instances,
    launch_templates,
    placement_groups,
    network,
    rules,
    gateways,
    buckets,
    policies,
    secrets,
    sessions,
    budgets,
    filesystems,
    records,
    alarms,
    bucket_policies,
    zones,
)


def apply() -> None:
    """Repair moto, once for each process."""
    for subject in ALL:
        subject.apply()
