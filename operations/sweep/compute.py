"""Machines and what they are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operations.sweep.kinds import Client, Kind, Scope, bears, by_filter, pages, tag_filter
from operations.sweeping import Found

if TYPE_CHECKING:
    from collections.abc import Iterator


def _delete_group(client: Client, name: str) -> None:
    # By force: its hooks are not waited for, and its instances end with it.
    client.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def _instances(client: Client, scope: Scope) -> Iterator[Found]:
    for reservation in pages(
        client, "describe_instances", "Reservations", Filters=tag_filter(scope)
    ):
        for instance in reservation["Instances"]:
            state = instance["State"]["Name"]
            ours = bears(instance.get("Tags", ()), scope.cluster)
            if ours and state != "terminated":  # they are listed for an hour after their end
                yield Found(instance["InstanceId"], state == "shutting-down")


def _state(word: str) -> Any:  # noqa: ANN401  # a predicate over an item of a listing
    return lambda item: item.get("State") == word


KINDS = (
    Kind(
        "Auto Scaling group",
        "autoscaling",
        by_filter(
            "describe_auto_scaling_groups",
            "AutoScalingGroups",
            "AutoScalingGroupName",
            # The status is there only while a group is being deleted.
            ending=lambda group: bool(group.get("Status")),
        ),
        _delete_group,
    ),
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
        by_filter(
            "describe_placement_groups",
            "PlacementGroups",
            "GroupName",
            ending=_state("deleting"),
            gone=_state("deleted"),
        ),
        lambda c, i: c.delete_placement_group(GroupName=i),
    ),
)
