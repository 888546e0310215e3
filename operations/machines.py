"""A cluster on AWS as it is now: what its Auto Scaling groups say, and what its machines report.

No port of a machine is needed, and any number of workers is the same few calls.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from operations.aws import calling
from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operations.aws import Clients

SCHEDULER = "scheduler"
# A machine is in service as soon as EC2 has it, and then it boots. What holds the scheduler's
# launch hook is the limit for workers too.
BOOT = dt.timedelta(minutes=10)
RECENT = dt.timedelta(hours=1)
MOST_NAMES = 10  # of GetParameters


@dataclass(frozen=True)
class FailedBoot:
    """What the last machine of a group whose boot failed has left.

    Attributes:
        instance: The machine.
        failures: How many boots failed in a row.
        reason: One sentence.
        log: The last lines of its boot.
        at: When (ISO time).
    """

    instance: str
    failures: int
    reason: str
    log: str
    at: str


@dataclass(frozen=True)
class Group:
    """One Auto Scaling group.

    Attributes:
        name: Such as ``worker``; the scheduler's is ``scheduler``.
        autoscaling_group: Its name on AWS.
        exists: Whether AWS has it.
        workers: What the stack file says: with ``maxWorkers`` at least so many.
        wanted: How many machines it is to have now.
        ceiling: How many it may have.
        in_service: The machines in service.
        starting: The number of machines that start.
        ending: The number of machines that end; each drains first.
        bought: ``on demand``, ``spot`` or ``spot above 2``.
        suspended: Whether it starts no machines.
        registered: How many of its machines the scheduler knows.
        failed_boot: The last boot, if it failed.
        failed_activity: AWS's own words about the last launch that failed, not long ago.
        launched: When the last launch began (ISO time), where that was asked for.
    """

    name: str
    autoscaling_group: str
    exists: bool = True
    workers: int = 0
    wanted: int = 0
    ceiling: int = 0
    in_service: tuple[str, ...] = ()
    starting: int = 0
    ending: int = 0
    bought: str = "on demand"
    suspended: bool = False
    registered: int = 0
    failed_boot: FailedBoot | None = None
    failed_activity: str | None = None
    launched: str | None = None

    @property
    def stopped(self) -> bool:
        """Whether it has no machines by an idle stop, or by the stop of a silent scheduler."""
        return self.exists and self.wanted == 0 < self.workers

    @property
    def missing(self) -> int:
        """How many machines are wanted and not even started."""
        return max(0, self.wanted - len(self.in_service) - self.starting)

    @property
    def silent(self) -> int:
        """How many machines are in service and have not registered."""
        return max(0, len(self.in_service) - self.registered)

    def booting(self, now: dt.datetime) -> bool:
        """Say whether those that have not registered may still be booting."""
        return self.launched is not None and now - dt.datetime.fromisoformat(self.launched) < BOOT


@dataclass(frozen=True)
class View:
    """A cluster on AWS as it is now.

    Attributes:
        at: When it was looked at.
        scheduler: The scheduler's group.
        groups: The groups of workers, the default one first.
        reporter: The scheduler's machine by its own last report, or None.
        since: When that scheduler started (ISO time).
        environment: The identity that it runs.
        expected: The identity that the stack names.
    """

    at: dt.datetime
    scheduler: Group
    groups: list[Group] = field(default_factory=list)
    reporter: str | None = None
    since: str | None = None
    environment: str | None = None
    expected: str | None = None

    @property
    def reported(self) -> bool:
        """Whether the scheduler that is in service has reported."""
        return self.reporter in self.scheduler.in_service

    @property
    def stopped(self) -> bool:
        """Whether all groups that ought to have machines are stopped."""
        ought = [group for group in self.groups if group.workers]
        return bool(ought) and all(group.stopped for group in ought)

    def as_json(self) -> dict[str, Any]:
        """Return the view as plain data."""
        return asdict(self) | {"at": self.at.isoformat()}


def look(outputs: Mapping[str, Any], clients: Clients) -> View:
    """Look at the cluster of a stack.

    Two calls, and one more for each group that is not complete.

    Args:
        outputs: The stack's outputs.
        clients: A ``boto3.Session`` of the stack's region.

    Raises:
        CommandError: AWS refused a call, or there are no credentials.
    """
    now = dt.datetime.now(dt.UTC)
    names: dict[str, str] = outputs["groups"]
    scaling = clients.client("autoscaling")
    found = _describe(list(names.values()), scaling)
    told = _parameters(outputs["cluster"], list(names), clients.client("ssm"))
    registered = told["registered"]
    groups = []
    for name, autoscaling_group in names.items():
        said = found.get(autoscaling_group)
        facts: dict[str, Any] = {"exists": False} if said is None else _facts(said)
        if name == SCHEDULER:
            here = int(registered.get(SCHEDULER) in facts.get("in_service", ()))
        else:
            here = int(registered.get("workers", {}).get(name, 0))
        boot = _failed_boot(told[f"{name}/boot"])
        group = Group(name, autoscaling_group, registered=here, failed_boot=boot, **facts)
        if group.exists and (group.missing or group.silent or group.stopped):
            group = replace(group, **_activities(group, now, scaling))
        groups.append(group)
    return View(
        at=now,
        scheduler=next(group for group in groups if group.name == SCHEDULER),
        groups=[group for group in groups if group.name != SCHEDULER],
        reporter=registered.get(SCHEDULER),
        since=registered.get("started"),
        environment=registered.get("environment"),
        expected=outputs["environment"],
    )


def scheduler_machine(outputs: Mapping[str, Any], clients: Clients, status: str) -> str:
    """Return the instance on which the scheduler runs.

    Args:
        outputs: The stack's outputs.
        clients: Where clients of AWS's services come from.
        status: The command that shows the cluster.

    Raises:
        CommandError: None is in service, or AWS refused.
    """
    name = outputs["groups"][SCHEDULER]
    said = _describe([name], clients.client("autoscaling")).get(name)
    there: tuple[str, ...] = _facts(said)["in_service"] if said else ()
    if not there:
        cluster = outputs["cluster"]
        raise CommandError(f"no scheduler of `{cluster}` is in service. See: {status}")
    return there[0]


# A client of boto3's is Any here: its classes are made at run time.
def _describe(names: Sequence[str], scaling: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401
    with calling("looking at the Auto Scaling groups"):
        pages = scaling.get_paginator("describe_auto_scaling_groups")
        found = [
            group
            for page in pages.paginate(AutoScalingGroupNames=list(names))
            for group in page["AutoScalingGroups"]
        ]
    return {group["AutoScalingGroupName"]: group for group in found if "Status" not in group}


def _facts(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return what DescribeAutoScalingGroups says of one, in our words."""
    states = {i["InstanceId"]: i["LifecycleState"].split(":")[0] for i in group["Instances"]}
    tags = {tag["Key"]: tag["Value"] for tag in group["Tags"]}
    suspended = {process["ProcessName"] for process in group.get("SuspendedProcesses", [])}
    return {
        "workers": int(tags.get("dask-cluster:workers", 0)),
        "wanted": group["DesiredCapacity"],
        "ceiling": group["MaxSize"],
        "in_service": tuple(sorted(i for i, state in states.items() if state == "InService")),
        "starting": sum(state == "Pending" for state in states.values()),
        "ending": sum(state == "Terminating" for state in states.values()),
        "bought": _bought(group),
        "suspended": "Launch" in suspended,
    }


def _bought(group: Mapping[str, Any]) -> str:
    """Say how it buys; which machine is which would be one more call for every 1,000 of them."""
    shares = group.get("MixedInstancesPolicy", {}).get("InstancesDistribution", {})
    if shares.get("OnDemandPercentageAboveBaseCapacity", 100):
        return "on demand"
    floor = shares.get("OnDemandBaseCapacity", 0)
    return f"spot above {floor}" if floor else "spot"


def _parameters(
    cluster: str,
    groups: Sequence[str],
    ssm: Any,  # noqa: ANN401
) -> dict[str, dict[str, Any]]:
    """Return what the machines have written, by the last part of the parameter's name."""
    prefix = f"/dask-cluster/{cluster}/"
    paths = ["registered", *(f"{group}/boot" for group in groups)]
    told: dict[str, dict[str, Any]] = {path: {} for path in paths}
    for first in range(0, len(paths), MOST_NAMES):
        names = [f"{prefix}{path}" for path in paths[first : first + MOST_NAMES]]
        with calling("reading what the machines report"):
            found = ssm.get_parameters(Names=names)
        for each in found["Parameters"]:
            told[each["Name"].removeprefix(prefix)] = json.loads(each["Value"])
    return told


def _failed_boot(told: Mapping[str, Any]) -> FailedBoot | None:
    if not told.get("failures"):
        return None
    words = {key: str(told.get(key, "")) for key in ("instance", "reason", "log", "at")}
    return FailedBoot(failures=int(told["failures"]), **words)


def _activities(group: Group, now: dt.datetime, scaling: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return when a group last launched a machine, and why it could not; newest come first."""
    with calling(f"asking what group {group.name} did last"):
        found = scaling.describe_scaling_activities(AutoScalingGroupName=group.autoscaling_group)
    launches = [a for a in found["Activities"] if a["Description"].startswith("Launching")]
    failed = [
        a.get("StatusMessage") or a["Description"]
        for a in launches
        if a["StatusCode"] in ("Failed", "Cancelled") and now - a["StartTime"] < RECENT
    ]
    return {
        "launched": launches[0]["StartTime"].isoformat() if launches else None,
        "failed_activity": failed[0] if failed else None,
    }
