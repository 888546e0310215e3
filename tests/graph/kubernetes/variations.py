"""The stacks on Kubernetes whose graphs are looked at: a plain one, and what people vary in it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from tests.graph.recorder import Graph, build, stack_file

if TYPE_CHECKING:
    from collections.abc import Callable

Values = dict[str, Any]

# The stack file that is shipped, and the name that a stack of the variations has.
SHIPPED = "kubernetes"
STACK = "test"

BASE: Values = {
    "platform": "kubernetes",
    "context": "arn:aws:eks:us-east-2:123456789012:cluster/science",
    "imageRepository": "ghcr.io/me/dask",
    "workers": 2,
}
SCALED: Values = {"workers": 1, "maxWorkers": 20}
OWN_IMAGE = f"ghcr.io/me/own@sha256:{'0123456789abcdef' * 4}"

# What is written over the plain one; None takes a key away.
VARIATIONS: dict[str, Values] = {
    "plain": {},
    "own-image": {"imageRepository": None, "image": OWN_IMAGE},
    "own-image-and-jupyter": {"imageRepository": None, "image": OWN_IMAGE, "jupyter": {}},
    "base-image": {"baseImage": "registry.example.org/python:3.11"},
    "named-namespace": {"namespace": "science"},
    "scaler": {**SCALED, "idleStop": "30 minutes"},
    "hpa": {**SCALED, "autoscaler": "hpa"},
    "lifetime-and-stops": {"lifetime": "2 h", "idleStop": "1 h", "noClientStop": "2 h"},
    "processes": {"cpu": 4, "processes": 2, "resources": {"slots": 2}},
    "sizes": {
        "cpu": 0.5,
        "memory": "1500 MB",
        "disk": "2500 MiB",
        "schedulerCpu": 2,
        "schedulerMemory": "4 GiB",
    },
    "groups": {
        "groups": {
            "big": {"workers": 1, "cpu": 8, "memory": "32 GiB"},
            "many": {"workers": 0, "maxWorkers": 9},
        }
    },
    "node-port": {"serviceType": "NodePort", "allowedCidrs": ["203.0.113.0/24"]},
    "load-balancer": {
        "serviceType": "LoadBalancer",
        "allowedCidrs": ["203.0.113.0/24", "2001:db8::/48"],
    },
    "jupyter": {"jupyter": {"home": "20 GiB", "storageClass": "gp3"}},
    "packages-and-dask": {
        "packages": ["xarray>=2025.1"],
        "dask": {"distributed": {"scheduler": {"allowed-failures": 10}}},
    },
    "everything": {
        **SCALED,
        "autoscaler": "hpa",
        "serviceType": "LoadBalancer",
        "allowedCidrs": ["203.0.113.0/24"],
        "jupyter": {},
        "groups": {"big": {"workers": 1, "maxWorkers": 4, "cpu": 8}},
        "idleStop": "30 minutes",
        "lifetime": "2 h",
        "packages": ["xarray>=2025.1"],
    },
}


def written(values: Values) -> Values:
    """Return the keys of a stack file: the plain one with these written over it."""
    return {key: each for key, each in {**BASE, **values}.items() if each is not None}


def variation(name: str) -> Graph:
    """Return the graph of a variation."""
    return build(written(VARIATIONS[name]), stack=STACK)


def of_stack_file() -> Graph:
    """Return the graph of the stack file as it is shipped."""
    return build(stack_file(SHIPPED), stack=SHIPPED)


ALL: dict[str, Callable[[], Graph]] = {
    f"Pulumi.{SHIPPED}.yaml": of_stack_file,
    **{name: functools.partial(variation, name) for name in VARIATIONS},
}
"""How to get the graph of every stack, by name."""
