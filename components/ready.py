"""The last resource of a cluster on AWS: it is there when the cluster works."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import dynamic

from components import aws

if TYPE_CHECKING:
    from collections.abc import Mapping

# Between two looks: from the first to the second, half as much more each time.
LOOK_SECONDS = (0.5, 5.0)
# What the stack file says, at least; the scaler reads it too.
WORKERS_TAG = "dask-cluster:workers"
# This many failed boots in a row, and the machines themselves stop the relaunching.
MOST_FAILURES = 3
# So many machines are named where they are silent.
MOST_NAMED = 10
# The metric that the scheduler sends each minute, and what stands for its alarm beside groups.
HEARTBEAT = {"Namespace": "DaskCluster", "MetricName": "Heartbeat"}
ALARM = "heartbeat alarm"


class Ready(dynamic.Resource, module="ready", name="Ready"):
    """Created when the scheduler and the first worker of each group have registered.

    It reads what the machines themselves report, since no port of theirs is open to whoever runs
    Pulumi. A refresh finds what is missing, and the next update waits for it again.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str,
        cluster: str,
        environment: pulumi.Input[str],
        scheduler: pulumi.Input[str],
        revision: pulumi.Input[str],
        workers: Mapping[str, Wanted],
        seconds: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Wait for the cluster.

        Args:
            name: Name of the resource.
            region: Where it is.
            cluster: Its name, part of the parameters' names.
            environment: The identity that the scheduler must report.
            scheduler: Name of the scheduler's Auto Scaling group.
            revision: Another one stands for another scheduler, which is waited for anew.
            workers: What is wanted of each group of workers.
            seconds: How long that may take.
            opts: Resource options.
        """
        props: dict[str, Any] = {
            "region": region,
            "cluster": cluster,
            "environment": environment,
            "scheduler": scheduler,
            "revision": revision,
            "workers": {group: wanted.as_props() for group, wanted in workers.items()},
            "seconds": seconds,
            "missing": [],
        }
        super().__init__(_ReadyProvider(), name, props, opts)


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a group of workers.

    Attributes:
        autoscaling_group: Its name on AWS.
        workers: How many must have registered.
        all_or_nothing: Whether the group is set to 0 if they have not in time.
    """

    autoscaling_group: pulumi.Input[str]
    workers: int
    all_or_nothing: bool = False

    def as_props(self) -> dict[str, Any]:
        """Return it as Pulumi stores it."""
        return dict(vars(self))


class _ReadyProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = [key for key in news if key != "__provider" and olds.get(key) != news[key]]
        return dynamic.DiffResult(changes=bool(changed))

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        _wait(_Cluster(props))
        return dynamic.CreateResult(id_=props["cluster"], outs=props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        _wait(_Cluster(news))
        return dynamic.UpdateResult(outs=news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        seen = props | {"missing": _Cluster(props).missing()}
        return dynamic.ReadResult(id_=id_, outs=seen, inputs=seen)


def _wait(cluster: _Cluster) -> None:
    """Wait until nothing is missing.

    Raises:
        pulumi.RunError: It is not there in time, or the machines gave up; with what they said.
    """
    deadline, pause = time.monotonic() + cluster.seconds, LOOK_SECONDS[0]
    # Of an `up` before this one: what failed then may have been mended since. Or of this one,
    # with machines that failed before this began: their group launches no more.
    before = {group: cluster.failures(group) for group in cluster.groups()}
    while missing := cluster.missing() or cluster.alarms():
        cluster.raise_stopped_groups()
        failures = {group: cluster.failures(group) for group in before}
        gave_up = [
            group
            for group, count in failures.items()
            if count >= MOST_FAILURES and (count != before[group] or cluster.is_stopped(group))
        ]
        if gave_up or time.monotonic() > deadline:
            cluster.stop_incomplete_groups()
            said = "\n".join(cluster.reasons(gave_up or missing))
            after = "" if gave_up else f" after {_spoken(cluster.seconds)}"
            raise pulumi.RunError(f"not ready{after}: {said}")
        time.sleep(pause)
        pause = min(1.5 * pause, LOOK_SECONDS[1])


class _Cluster:
    """What AWS and the machines say of a cluster."""

    def __init__(self, props: Mapping[str, Any]) -> None:
        self._environment: str = props["environment"]
        self._scheduler: str = props["scheduler"]
        self._prefix = f"/dask-cluster/{props['cluster']}"
        self._workers = {name: Wanted(**wanted) for name, wanted in props["workers"].items()}
        self.seconds = float(props["seconds"])
        self._ssm = aws.client("ssm", props["region"])
        self._autoscaling = aws.client("autoscaling", props["region"])
        self._cloudwatch = aws.client("cloudwatch", props["region"])
        self._dimensions = [{"Name": "Cluster", "Value": str(props["cluster"])}]

    def groups(self) -> list[str]:
        """Return the names of all groups, as the parameters have them."""
        return ["scheduler", *self._workers]

    def missing(self) -> list[str]:
        """Return the groups of which not enough have registered."""
        told = self._parameter("registered")
        running = self._in_service(self._scheduler)
        if told.get("scheduler") not in running or told.get("environment") != self._environment:
            return ["scheduler"]
        there = told["workers"]
        return [
            group
            for group, wanted in self._workers.items()
            if int(there.get(group, 0)) < int(wanted.workers)
        ]

    def alarms(self) -> list[str]:
        """Return what still stops the workers: the alarm of a scheduler that was silent.

        It lags a minute or two behind the first sign of life, and meanwhile sets each group to 0
        once a minute, also one whose first worker has registered.
        """
        found = self._cloudwatch.describe_alarms_for_metric(
            **HEARTBEAT, Dimensions=self._dimensions
        )
        on = any(alarm["StateValue"] == "ALARM" for alarm in found["MetricAlarms"])
        return [ALARM] if on else []

    def failures(self, group: str) -> int:
        """Return how many boots of a group have failed in a row."""
        return int(self._parameter(f"{group}/boot").get("failures", 0))

    def is_stopped(self, group: str) -> bool:
        """Return whether a group launches no more: its failed machines stop that."""
        processes = self._describe(self._autoscaling_group(group)).get("SuspendedProcesses", [])
        return any(process["ProcessName"] == "Launch" for process in processes)

    def reasons(self, groups: list[str]) -> list[str]:
        """Return what is known of why these groups have not come, for people."""
        return [self._reason(group) for group in groups]

    def raise_stopped_groups(self) -> None:
        """Start the groups that were stopped: by an idle stop, or by the silent scheduler's alarm.

        Until it has seen the scheduler's next sign of life that alarm stops what is started.
        """
        for wanted in self._workers.values():
            name = str(wanted.autoscaling_group)
            group = self._describe(name)
            tags = {tag["Key"]: tag["Value"] for tag in group["Tags"]}
            least = int(tags.get(WORKERS_TAG, 0))
            if group["DesiredCapacity"] < least:
                self._autoscaling.set_desired_capacity(
                    AutoScalingGroupName=name, DesiredCapacity=least, HonorCooldown=False
                )

    def stop_incomplete_groups(self) -> None:
        """Set a group that is of use as a whole only to 0, before it costs anything for nothing."""
        missing = self.missing()
        for group, wanted in self._workers.items():
            if wanted.all_or_nothing and {group, "scheduler"} & set(missing):
                self._autoscaling.set_desired_capacity(
                    AutoScalingGroupName=wanted.autoscaling_group, DesiredCapacity=0
                )

    def _reason(self, group: str) -> str:
        if group == ALARM:
            return (
                "the scheduler has registered, but its heartbeat does not reach CloudWatch, whose "
                "alarm goes on stopping the workers. Its log says why."
            )
        told = self._parameter(f"{group}/boot")
        if told.get("failures"):
            log = "\n".join(f"    {line}" for line in str(told.get("log", "")).splitlines())
            count, instance = told["failures"], told["instance"]
            return f"{group}: {count} boots failed, the last on {instance}: {told['reason']}\n{log}"
        wanted = self._workers.get(group)
        name = self._autoscaling_group(group)
        there = sorted(self._in_service(name))
        many = 1 if wanted is None else int(wanted.workers)
        silent = self._silent(group, there)
        stopped = " The group was set to 0." if wanted and wanted.all_or_nothing else ""
        said = self._last_failed_activity(name)
        count = f"{group}: {len(there)} of {many} machines are in service"
        return f"{count}{silent}.{stopped} {said}".rstrip()

    def _silent(self, group: str, there: list[str]) -> str:
        """Name machines that are there, of which not enough have registered, for people."""
        if not there:
            return ""
        # Of the scheduler it is the report that is missing.
        told = {} if group == "scheduler" else self._parameter("registered").get("workers", {})
        shown = ", ".join(there[:MOST_NAMED]) + (", ..." if len(there) > MOST_NAMED else "")
        return (
            f", {told.get(group, 0)} have registered: {shown}. They have reported no failure: they "
            "boot still, or reach neither AWS nor the scheduler. /var/log/dask-cluster-boot.log "
            "and /var/log/dask on them say more"
        )

    def _last_failed_activity(self, name: str) -> str:
        """Return the group's own message about its last failure, such as missing capacity."""
        found = self._autoscaling.describe_scaling_activities(AutoScalingGroupName=name)
        failed = (a for a in found["Activities"] if a["StatusCode"] in ("Failed", "Cancelled"))
        return str(next((a.get("StatusMessage", "") for a in failed), ""))

    def _in_service(self, name: str) -> set[str]:
        return {
            instance["InstanceId"]
            for instance in self._describe(name)["Instances"]
            if instance["LifecycleState"] == "InService"
        }

    def _autoscaling_group(self, group: str) -> str:
        wanted = self._workers.get(group)
        return self._scheduler if wanted is None else str(wanted.autoscaling_group)

    def _describe(self, name: str) -> dict[str, Any]:
        found = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        groups: list[dict[str, Any]] = found["AutoScalingGroups"]
        return groups[0] if groups else {"Instances": [], "DesiredCapacity": 0, "Tags": []}

    def _parameter(self, path: str) -> dict[str, Any]:
        name = f"{self._prefix}/{path}"
        try:
            found = self._ssm.get_parameter(Name=name)
        except self._ssm.exceptions.ParameterNotFound:
            return {}  # deleted by hand: the same as a machine that has said nothing
        told: dict[str, Any] = json.loads(found["Parameter"]["Value"])
        return told


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"  # noqa: PLR2004
