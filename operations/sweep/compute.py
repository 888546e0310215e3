"""Machines and what they are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.sweep.kinds import TAG, Client, Kind, by_filter, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDED = frozenset({"shutting-down", "terminated"})


def _groups(client: Client, cluster: str) -> Iterator[str]:
    filters = [{"Name": f"tag:{TAG}", "Values": [cluster]}]
    operation, key = "describe_auto_scaling_groups", "AutoScalingGroups"
    for group in pages(client, operation, key, Filters=filters):
        yield group["AutoScalingGroupName"]


def _delete_group(client: Client, name: str) -> None:
    client.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def _instances(client: Client, cluster: str) -> Iterator[str]:
    filters = [{"Name": f"tag:{TAG}", "Values": [cluster]}]
    for reservation in pages(client, "describe_instances", "Reservations", Filters=filters):
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] not in _ENDED:
                yield instance["InstanceId"]


KINDS = (
    Kind("Auto Scaling group", "autoscaling", _groups, _delete_group),
    Kind("instance", "ec2", _instances, lambda c, i: c.terminate_instances(InstanceIds=[i])),
    Kind(
        "launch template",
        "ec2",
        by_filter("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
        lambda c, i: c.delete_launch_template(LaunchTemplateId=i),
    ),
    Kind(
        "placement group",
        "ec2",
        by_filter("describe_placement_groups", "PlacementGroups", "GroupName"),
        lambda c, i: c.delete_placement_group(GroupName=i),
    ),
)
