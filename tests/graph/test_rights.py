"""Every call of AWS that is written down in what hosts run, and that its role may make it."""

from __future__ import annotations

import re

import pytest

from tests.graph.facts.fact import allowed
from tests.graph.facts.identities import of_role
from tests.graph.recorder import ROOT
from tests.graph.variations import variation

HOST = ROOT / "images" / "host"
NODE = ROOT / "images" / "node" / "dask_node" / "aws"
# `aws SERVICE COMMAND` of the shell, and the same as a call in the Python of user-data.sh.
COMMAND = re.compile(r'\baws (\w+) ([a-z0-9-]+)|\baws\("(\w+)", "([a-z-]+)"')
METHOD = re.compile(r'_api(?:\([^)]*\))?\.(?:get_paginator\("([a-z_]+)"\)|([a-z_]+))')
SERVICES = {"autoscaling", "logs", "route53", "s3", "secretsmanager", "ssm"}
# A command and its right have another name.
RENAMED = {"s3:Cp": "s3:GetObject"}
OF_METHODS = {
    "put_metric_data": "cloudwatch:PutMetricData",
    "put_parameter": "ssm:PutParameter",
}
ONLY_SCHEDULER = {
    *("route53:ChangeResourceRecordSets", "cloudwatch:PutMetricData"),
    *("autoscaling:DescribeAutoScalingGroups", "autoscaling:SetDesiredCapacity"),
    "autoscaling:TerminateInstanceInAutoScalingGroup",
}
ONLY_WORKER = {"autoscaling:SetInstanceHealth"}


def camel(words: str) -> str:
    return "".join(word.capitalize() for word in re.split("[-_]", words))


def calls() -> set[str]:
    """Return the rights that the calls in scripts and in the node's package need."""
    found = set()
    for path in HOST.glob("*.sh"):
        for parts in COMMAND.findall(path.read_text()):
            service, command = [part for part in parts if part]
            if service in SERVICES:
                right = f"{service}:{camel(command)}"
                found.add(RENAMED.get(right, right))
    for path in NODE.glob("*.py"):
        for parts in METHOD.findall(path.read_text()):
            (method,) = [part for part in parts if part]
            found.add(OF_METHODS.get(method, f"autoscaling:{camel(method)}"))
    return found


def granted(role: str) -> set[str]:
    policy = of_role(variation("plain"), role)
    return {action for each in allowed(policy) for action in each["Action"]}


def test_the_calls_are_found() -> None:
    assert len(calls()) >= 13
    assert calls() >= ONLY_SCHEDULER | ONLY_WORKER | {"s3:GetObject", "logs:PutLogEvents"}


@pytest.mark.parametrize(
    ("role", "others"), [("scheduler", ONLY_WORKER), ("worker", ONLY_SCHEDULER)]
)
def test_a_role_may_make_its_calls_and_no_other(role: str, others: set[str]) -> None:
    rights = granted(role)
    assert calls() - others <= rights
    assert not rights & others


@pytest.mark.parametrize("role", ["scheduler", "worker"])
def test_no_right_is_without_a_call(role: str) -> None:
    """What else is granted is for AWS's own agents, which bring their calls with them."""
    agents = {
        *("ssm:UpdateInstanceInformation", "logs:DescribeLogStreams"),
        *("ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel"),
        *("ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"),
    }
    assert granted(role) - calls() <= agents
