"""The stacks whose graphs are looked at: one that is plain, and what people vary in it."""

from __future__ import annotations

import functools
from typing import Any

from tests.graph.recorder import Graph, build, stack_file

Values = dict[str, Any]

STACK_FILES = ("dev", "staging", "prod", "hpc")
# The name that a stack of the variations has.
STACK = "test"

BASE: Values = {
    "platform": "vm",
    "region": "us-east-2",
    "vpc": {"zones": ["us-east-2a", "us-east-2b"]},
    "workers": 2,
    "instanceTypes": ["m7i.large", "m6i.large"],
}
ONE_ZONE: Values = {"vpc": {"zones": ["us-east-2b"]}}
EFA: Values = {**ONE_ZONE, "placementGroup": True, "network": "efa"}

# What is written over the plain one. What only the scaler or the hosts read is in test_edits.py.
VARIATIONS: dict[str, Values] = {
    "plain": {},
    "one-zone": ONE_ZONE,
    "three-zones": {"vpc": {"cidr": "10.8.0.0/20", "zones": [f"us-east-2{z}" for z in "abc"]}},
    "nat-per-zone": {"egress": "natPerZone"},
    "existing-vpc": {
        "vpc": {"id": "vpc-0123456789abcdef0", "subnets": ["subnet-0123456789abcdef0"]}
    },
    "flow-logs": {"flowLogs": True},
    "allowed-cidrs": {"allowedCidrs": ["203.0.113.0/24", "2001:db8::/48"]},
    "efs-new": {"efs": {}},
    "efs-existing": {"efs": {"id": "fs-0123456789abcdef0", "mount": "/shared"}},
    "lustre-new": {**ONE_ZONE, "lustre": {"size": "2400 GiB"}},
    "lustre-existing": {"lustre": {"id": "fs-0123456789abcdef0", "mountName": "a1b2c3d4"}},
    "efa-one-card": {**EFA, "instanceTypes": ["c6i.32xlarge"]},
    "efa-two-cards": {**EFA, "instanceTypes": ["hpc7a.96xlarge"], "allOrNothing": True},
    "efa-cards-of-one-interface": {**EFA, "instanceTypes": ["hpc6id.32xlarge"]},
    "efa-not-on-the-first-card": {
        **EFA,
        "instanceTypes": ["i7ie.48xlarge"],
        "vpc": {"zones": ["us-east-2a"]},
    },
    "ena-express": {"network": "enaExpress", "instanceTypes": ["m7i.12xlarge"]},
    "one-thread-per-core": {"threadsPerCore": 1},
    "thread-per-core-without-choice": {
        "threadsPerCore": 1,
        "instanceTypes": ["m7g.large"],
        "architecture": "arm64",
    },
    "capacity-reservation": {
        **ONE_ZONE,
        "instanceTypes": ["m7i.large"],
        "placementGroup": True,
        "capacityReservation": "cr-0123456789abcdef0",
    },
    "spot": {"spot": True, "onDemandFloor": 1},
    "max-workers": {"workers": 1, "maxWorkers": 20, "idleStop": "30 minutes"},
    "lifetime-and-stops": {"lifetime": "2 h", "idleStop": "1 h", "noClientStop": "2 h"},
    "processes": {"processes": 2, "resources": {"slots": 2}},
    "spill-to-nvme": {"instanceTypes": ["m6id.large"], "spillToNvme": True},
    "root-volume": {"rootVolume": "100 GiB"},
    "groups": {
        "groups": {
            "big": {"workers": 1, "instanceTypes": ["r7i.8xlarge"]},
            "many": {"workers": 0, "maxWorkers": 9, "instanceTypes": ["m7i.large"], "spot": True},
        }
    },
    "two-architectures": {
        "groups": {"arm": {"workers": 1, "instanceTypes": ["m7g.large"], "architecture": "arm64"}}
    },
    "named-images": {"images": {"x86_64": "ami-0123456789abcdef0"}},
    "budget-and-mails": {
        "monthlyBudget": 500,
        "alarmEmails": ["one@example.org", "two@example.org"],
    },
    "buckets": {"readBuckets": ["public-data"], "writeBuckets": ["results/ours", "results/more"]},
    "tags": {"tags": {"team": "science", "owner": "of the user"}},
    "everything": {
        **EFA,
        "instanceTypes": ["hpc7a.96xlarge"],
        "flowLogs": True,
        "allowedCidrs": ["203.0.113.0/24"],
        "efs": {},
        "lustre": {"size": "1200 GiB"},
        "readBuckets": ["public-data"],
        "writeBuckets": ["results/ours"],
        "monthlyBudget": 500,
        "alarmEmails": ["one@example.org"],
    },
    "packages-and-dask": {
        "packages": ["xarray>=2025.1"],
        "dask": {"distributed": {"scheduler": {"allowed-failures": 10}}},
    },
}


def variation(name: str) -> Graph:
    """Return the graph of a variation."""
    return build({**BASE, **VARIATIONS[name]}, stack=STACK)


def of_stack_file(name: str) -> Graph:
    """Return the graph of a stack file as it is shipped."""
    return build(stack_file(name), stack=name)


ALL = {
    **{f"Pulumi.{name}.yaml": functools.partial(of_stack_file, name) for name in STACK_FILES},
    **{name: functools.partial(variation, name) for name in VARIATIONS},
}
"""How to get the graph of every stack, by name."""
