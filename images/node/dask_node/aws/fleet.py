"""The fleet on AWS: places are instances, and each of our groups is an Auto Scaling group.

What the stack file says of a group is in tags of the Auto Scaling group, so that an edit of a
number reaches the scaler with the Describe that it makes anyway.

More is asked for by number. Less is asked for by instance: after a lower number AWS would choose
who ends. Only where all end there is nothing to choose.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dask_node.aws.clients import calling, client, place
from dask_node.fleet import Group, Places, State

if TYPE_CHECKING:
    from collections.abc import Collection

# All callers of an account share one budget of calls to EC2 Auto Scaling.
INTERVAL = 15.0
# Of TerminateInstanceInAutoScalingGroup.
MOST_IDS = 100
DEFAULT = "worker"

_CLUSTER = "dask-cluster"
_GROUP = "dask-cluster:group"
_WORKERS = "dask-cluster:workers"
_MOST = "dask-cluster:max-workers"
_LAYOUT = "dask-cluster:layout"
_IDLE_STOP = "dask-cluster:idle-stop"
_NO_CLIENT_STOP = "dask-cluster:no-client-stop"

# By the first part of an instance's LifecycleState. Of others (in standby, detached, in a warm
# pool) the group has no use, and neither have we.
_RUNNING = ("Pending", "InService", "ReplacingRootVolume", "RootVolumeReplaced")


@dataclass(frozen=True)
class _Seen:
    """An Auto Scaling group at the last look.

    Attributes:
        name: On AWS.
        desired: How many instances it is to have.
        most: How many it may have.
        running: Instances that it has or starts.
        stopping: Instances that it ends.
        launches: Whether it starts instances at all.
        tags: Ours.
    """

    name: str
    desired: int
    most: int
    running: frozenset[str]
    stopping: frozenset[str]
    launches: bool
    tags: dict[str, str]

    @property
    def awaited(self) -> frozenset[str]:
        """Names for the instances that are asked for and not there: a dry spot pool, or too soon.

        To the scaler they are places that start. Without them it would ask again at each look.
        """
        group = self.tags[_GROUP]
        missing = range(self.desired - len(self.running))
        return frozenset(f"{group}-awaited-{number}" for number in missing)

    def places(self) -> Places:
        """Return the places as the scaler knows them."""
        if self.launches:
            return Places(self.running | self.awaited, self.stopping, frozenset())
        return Places(self.running, self.stopping, self.awaited)


class AwsFleet:
    """The Auto Scaling groups of a cluster.

    Args:
        where: `aws:<region>/<cluster>`.
    """

    def __init__(self, where: str) -> None:
        self.interval = INTERVAL
        self.region, self.cluster = place(where)
        self._client: Any = None
        self._seen: dict[str, _Seen] = {}

    async def look(self) -> State:
        """Return how things are; a group that is being deleted is left out."""
        return await asyncio.to_thread(self._look)

    async def start(self, group: str, count: int) -> None:
        """Ask for more instances, never for more than the group may have."""
        await asyncio.to_thread(self._start, group, count)

    async def stop(self, group: str, places: Collection[str], reason: str) -> None:
        """End instances; their terminate hook gives them time to drain."""
        del reason  # the scheduler knows it, and nothing of it reaches an instance
        await asyncio.to_thread(self._stop, group, frozenset(places))

    def _look(self) -> State:
        seen = [_seen(group) for group in self._describe() if "Status" not in group]
        ours = {group.tags[_GROUP]: group for group in seen if _WORKERS in group.tags}
        order = sorted(ours, key=lambda name: (name != DEFAULT, name))
        self._seen = {name: ours[name] for name in order}
        default = self._seen[DEFAULT].tags if DEFAULT in self._seen else {}
        return State(
            groups={name: _group(name, group.tags) for name, group in self._seen.items()},
            places={name: group.places() for name, group in self._seen.items()},
            idle_stop=_seconds(default.get(_IDLE_STOP)),
            no_client_stop=_seconds(default.get(_NO_CLIENT_STOP)),
        )

    def _start(self, group: str, count: int) -> None:
        seen = self._seen[group]
        wanted = len(seen.places().running) + count
        self._set(group, max(seen.desired, min(wanted, seen.most)))

    def _stop(self, group: str, places: frozenset[str]) -> None:
        seen = self._seen[group]
        if places >= seen.places().running:
            self._set(group, 0)
            return
        # Nobody is chosen by this number: these instances do not exist.
        self._set(group, seen.desired - len(places & seen.awaited))
        ids = sorted(places & seen.running)
        for first in range(0, len(ids), MOST_IDS):
            with calling(f"ending instances of group {group}"):
                self._api().terminate_instance_in_auto_scaling_group(
                    AutoScalingGroupName=seen.name,
                    InstanceIds=ids[first : first + MOST_IDS],
                    ShouldDecrementDesiredCapacity=True,
                )

    def _set(self, group: str, desired: int) -> None:
        seen = self._seen[group]
        if desired == seen.desired:
            return
        with calling(f"asking for {desired} instances of group {group}"):
            self._api().set_desired_capacity(
                AutoScalingGroupName=seen.name, DesiredCapacity=desired, HonorCooldown=False
            )
        self._seen[group] = replace(seen, desired=desired)

    def _describe(self) -> list[dict[str, Any]]:
        ours = [{"Name": f"tag:{_CLUSTER}", "Values": [self.cluster]}]
        with calling("looking at the Auto Scaling groups"):
            pages = self._api().get_paginator("describe_auto_scaling_groups")
            return [g for page in pages.paginate(Filters=ours) for g in page["AutoScalingGroups"]]

    def _api(self) -> Any:  # noqa: ANN401  # boto3 makes its classes at run time
        """Return the client, made at first use: in a thread, as it takes a while."""
        if self._client is None:
            self._client = client("autoscaling", self.region)
        return self._client


def _seen(group: dict[str, Any]) -> _Seen:
    states = {i["InstanceId"]: i["LifecycleState"].split(":")[0] for i in group["Instances"]}
    suspended = {process["ProcessName"] for process in group.get("SuspendedProcesses", [])}
    return _Seen(
        name=group["AutoScalingGroupName"],
        desired=group["DesiredCapacity"],
        most=group["MaxSize"],
        running=frozenset(i for i, state in states.items() if state in _RUNNING),
        stopping=frozenset(i for i, state in states.items() if state == "Terminating"),
        launches="Launch" not in suspended,
        tags={tag["Key"]: tag["Value"] for tag in group["Tags"]},
    )


def _group(name: str, tags: dict[str, str]) -> Group:
    layout = json.loads(tags[_LAYOUT])
    return Group(
        name=name,
        workers=int(tags[_WORKERS]),
        max_workers=int(tags[_MOST]) if tags.get(_MOST) else None,
        processes=layout["processes"],
        threads=layout["threads"],
        memory=layout["memory"],
        resources=layout["resources"],
    )


def _seconds(tag: str | None) -> float | None:
    return float(tag) if tag else None
