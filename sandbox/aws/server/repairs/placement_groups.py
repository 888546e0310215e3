"""Placement groups, which moto has not."""

import uuid
from typing import Any, Final

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response
from moto.ec2.responses.instances import InstanceResponse

from sandbox.aws.server import extras
from sandbox.aws.server.clock import timestamp
from sandbox.aws.server.extras import PlacementGroup
from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.repairs.patching import add

_STRATEGIES: Final = ("cluster", "spread", "partition")
_ALIVE: Final = frozenset({"pending", "running", "stopping", "stopped", "shutting-down"})


def apply() -> None:
    """Add placement groups to EC2."""
    for name, operation in (
        ("create_placement_group", _create),
        ("describe_placement_groups", _describe),
        ("delete_placement_group", _delete),
    ):
        add(EC2Response, name, operation)


def _create(self: InstanceResponse) -> ActionResult:
    backend: EC2Backend = self.ec2_backend
    groups = extras.of_region(backend).placement_groups
    name, strategy = self._get_param("GroupName"), self._get_param("Strategy") or "cluster"
    if name in groups:
        raise AwsError(
            "InvalidPlacementGroup.Duplicate", f"The Placement Group '{name}' already exists."
        )
    if strategy not in _STRATEGIES:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({strategy}) for parameter strategy is invalid. Invalid placement strategy.",
        )
    group = PlacementGroup(
        id=f"pg-{uuid.uuid4().hex[:17]}",
        name=name,
        strategy=strategy,
        created=timestamp(),
        partitions=self._get_param("PartitionCount"),
        spread_level=self._get_param("SpreadLevel"),
    )
    groups[name] = group
    tags = self._parse_tag_specification().get("placement-group", {})
    backend.create_tags([group.id], tags)
    return ActionResult({"PlacementGroup": _shown(backend, group)})


def _describe(self: InstanceResponse) -> ActionResult:
    backend: EC2Backend = self.ec2_backend
    groups = extras.of_region(backend).placement_groups
    names, ids = self._get_param("GroupNames", []), self._get_param("GroupIds", [])
    for name in names:
        if name not in groups:
            raise _unknown(name)
    by_id = {one.id: one for one in groups.values()}
    for key in ids:
        if key not in by_id:
            raise AwsError(
                "InvalidPlacementGroupId.NotFound",
                f"The Placement Group ID '{key}' does not exist.",
            )
    shown = [
        _shown(backend, one)
        for one in groups.values()
        if (not names or one.name in names) and (not ids or one.id in ids)
    ]
    return ActionResult({"PlacementGroups": _filtered(shown, self._filters_from_querystring())})


def _delete(self: InstanceResponse) -> ActionResult:
    backend: EC2Backend = self.ec2_backend
    kept = extras.of_region(backend)
    name = self._get_param("GroupName")
    if name not in kept.placement_groups:
        raise _unknown(name)
    users = [
        one.id
        for one in kept.instances.values()
        if one.placement.group_name == name and one.state in _ALIVE
    ]
    if users:
        raise AwsError(
            "InvalidPlacementGroup.InUse",
            f"The placement group '{name}' is in use and may not be deleted.",
        )
    group = kept.placement_groups.pop(name)
    backend.tags.pop(group.id, None)
    return EmptyResult()


def _unknown(name: str) -> AwsError:
    return AwsError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")


def _shown(backend: EC2Backend, group: PlacementGroup) -> dict[str, Any]:
    tags = backend.tags.get(group.id, {})
    return {
        "GroupName": group.name,
        "GroupId": group.id,
        "GroupArn": (
            f"arn:{backend.partition}:ec2:{backend.region_name}:{backend.account_id}"
            f":placement-group/{group.name}"
        ),
        "State": "available",
        "Strategy": group.strategy,
        "PartitionCount": group.partitions,
        "SpreadLevel": group.spread_level,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def _filtered(rows: list[dict[str, Any]], filters: dict[str, Any]) -> list[dict[str, Any]]:
    names = {"group-name": "GroupName", "strategy": "Strategy", "state": "State"}
    for name, values in filters.items():
        if name.startswith("tag:"):
            pair = name.removeprefix("tag:")
            rows = [
                row
                for row in rows
                if any(tag["Key"] == pair and tag["Value"] in values for tag in row["Tags"])
            ]
        elif name in names:
            rows = [row for row in rows if row[names[name]] in values]
        else:
            raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return rows
