"""What the calls on an Auto Scaling group do, in the order of the real provider."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from engine.values import Properties
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import from_aws, to_aws
from sandbox.aws.provider.table import Job
from sandbox.provider_protocol import ProviderError

_BUSY: Final = ("ResourceInUse", "ScalingActivityInProgress")
_SIZES: Final = ("minSize", "maxSize", "desiredCapacity")
_APART: Final = frozenset(
    {"suspendedProcesses", "enabledMetrics", "metricsGranularity", "tags", "name", "namePrefix"}
)
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DELETE_SECONDS: Final = 600
_LAUNCH: Final = ("launchTemplate", "mixedInstancesPolicy")


def duration(value: str) -> float:
    """Seconds of a duration such as `10m` or `1h30m`; `0` needs no unit.

    Raises:
        ProviderError: It is none.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", value)
    if value != "0" and "".join(map("".join, parts)) != value:
        raise ProviderError(f"waitForCapacityTimeout {value!r} is not a duration such as '10m'")
    return float(sum(float(count) * _UNITS[unit] for count, unit in parts))


def check(inputs: Properties) -> list[tuple[str, str]]:
    """What is wrong before any call."""
    faults = []
    if sum(key in inputs for key in _LAUNCH) != 1:
        faults.append((_LAUNCH[0], f"exactly one of {' and '.join(_LAUNCH)} must be given"))
    try:
        duration(str(inputs.get("waitForCapacityTimeout", "0")))
    except ProviderError as error:
        faults.append(("waitForCapacityTimeout", str(error)))
    return faults


def find(job: Job) -> Properties | None:
    """The group as AWS has it."""
    found = job.call("describe_auto_scaling_groups", AutoScalingGroupNames=[job.id])
    groups = found["AutoScalingGroups"]
    return dict(groups[0]) if groups else None


def create(job: Job) -> str:
    """Make the group; with hooks it gets its size only once they are there."""
    params = job.params(*(key for key in job.row.fields if key not in _APART - {"name"}))
    if not job.news.get("desiredCapacity"):
        params.pop("DesiredCapacity", None)
    if tags := job.news.get("tags"):
        params["Tags"] = [_tag(str(job.get("name")), tag) for tag in tags]
    if job.news.get("initialLifecycleHooks"):
        for key in ("DesiredCapacity", "DesiredCapacityType"):
            params.pop(key, None)
        params |= {"MinSize": 0, "MaxSize": 0}
    job.call("create_auto_scaling_group", **params)
    return str(job.get("name"))


def ready(job: Job) -> None:
    """Hooks, the size, the wait for instances, and what has calls of its own."""
    started = datetime.now(UTC)
    if hooks := job.news.get("initialLifecycleHooks"):
        fields = job.row.fields["initialLifecycleHooks"].fields
        for hook in hooks:
            job.call("put_lifecycle_hook", AutoScalingGroupName=job.id, **to_aws(fields, hook))
        sizes = {key: job.news.get(key) for key in (*_SIZES, "desiredCapacityType")}
        if not sizes["desiredCapacity"]:
            del sizes["desiredCapacity"]
        params = to_aws(job.row.fields, sizes)
        job.call("update_auto_scaling_group", AutoScalingGroupName=job.id, **params)
    wanted = job.news.get("desiredCapacity") or job.news["minSize"]
    _wait_for_capacity(job, lambda healthy: healthy >= wanted, f"at least {wanted}", started)
    _set_processes(job, set(), set(job.news.get("suspendedProcesses") or []))
    _set_metrics(job, set(), set(job.news.get("enabledMetrics") or []))


def read(job: Job) -> Properties | None:
    """The group under Pulumi's names."""
    group = find(job)
    if group is None or group.get("Status") == "Delete in progress":
        return None
    props = from_aws(job.row.fields, group)
    metrics = group.get("EnabledMetrics") or []
    return props | {
        "arn": group["AutoScalingGroupARN"],
        "predictedCapacity": group.get("PredictedCapacity", 0),
        "warmPoolSize": group.get("WarmPoolSize", 0),
        "loadBalancers": group.get("LoadBalancerNames", []),
        "targetGroupArns": group.get("TargetGroupARNs", []),
        "suspendedProcesses": [p["ProcessName"] for p in group.get("SuspendedProcesses") or []],
        "enabledMetrics": [metric["Metric"] for metric in metrics],
        "metricsGranularity": metrics[0]["Granularity"] if metrics else "1Minute",
        "tags": [
            {"key": t["Key"], "value": t["Value"], "propagateAtLaunch": t["PropagateAtLaunch"]}
            for t in group.get("Tags") or []
            if not t["Key"].startswith("aws:")
        ],
    }


def update(job: Job) -> None:
    """Make the calls that the changed inputs need, and no others."""
    started = datetime.now(UTC)
    fields = job.row.fields
    changed = [k for k in sorted(job.changed) if k not in _APART and not fields[k].local]
    if changed:
        params = {"AutoScalingGroupName": job.id, **job.params(*changed)}
        params |= {k: v for k, v in _cleared(job, changed).items() if k not in params}
        if "desiredCapacity" not in changed:
            params.pop("DesiredCapacity", None)
        job.call("update_auto_scaling_group", **params)
    if "tags" in job.changed:
        _set_tags(job)
    _refresh_instances(job)
    if job.changed & {"desiredCapacity", "desiredCapacityType", "minSize"}:
        wanted = max(job.news.get("desiredCapacity") or 0, job.news["minSize"])
        _wait_for_capacity(job, lambda healthy: healthy == wanted, f"exactly {wanted}", started)
    for key, setter in (("enabledMetrics", _set_metrics), ("suspendedProcesses", _set_processes)):
        if key in job.changed:
            setter(job, set(job.olds.get(key) or []), set(job.news.get(key) or []))


def _cleared(job: Job, changed: list[str]) -> Properties:
    """What AWS is told where an input was taken out of the program."""
    back: dict[str, Any] = {
        "capacityRebalance": False,
        "context": "",
        "defaultInstanceWarmup": -1,
        "instanceMaintenancePolicy": {"MinHealthyPercentage": -1, "MaxHealthyPercentage": -1},
        "placementGroup": "",
    }
    return {job.row.fields[key].param(key): back[key] for key in changed if key in back}


def _tag(name: str, tag: Properties) -> Properties:
    return {
        "Key": tag["key"],
        "Value": str(tag["value"]),
        "PropagateAtLaunch": tag["propagateAtLaunch"],
        "ResourceId": name,
        "ResourceType": "auto-scaling-group",
    }


def _set_tags(job: Job) -> None:
    olds = {tag["key"]: _tag(job.id, tag) for tag in job.olds.get("tags") or []}
    news = {tag["key"]: _tag(job.id, tag) for tag in job.news.get("tags") or []}
    if dropped := [olds[key] for key in sorted(olds.keys() - news.keys())]:
        job.call("delete_tags", Tags=dropped)
    if added := [tag for key, tag in sorted(news.items()) if olds.get(key) != tag]:
        job.call("create_or_update_tags", Tags=added)


def _set_processes(job: Job, olds: set[str], news: set[str]) -> None:
    calls = (("resume_processes", olds - news), ("suspend_processes", news - olds))
    for operation, names in calls:
        if names:
            job.call(operation, AutoScalingGroupName=job.id, ScalingProcesses=sorted(names))


def _set_metrics(job: Job, olds: set[str], news: set[str]) -> None:
    where = {"AutoScalingGroupName": job.id}
    if dropped := olds - news:
        job.call("disable_metrics_collection", **where, Metrics=sorted(dropped))
    if added := news - olds:
        job.call(
            "enable_metrics_collection",
            **where,
            Metrics=sorted(added),
            Granularity=job.get("metricsGranularity"),
        )


def _refresh_instances(job: Job) -> None:
    refresh = job.news.get("instanceRefresh")
    if not refresh:
        return
    triggers = {_input_name(name) for name in refresh.get("triggers") or []}
    if not job.changed & {*_LAUNCH, *triggers}:
        return
    params = to_aws(job.row.fields["instanceRefresh"].fields, refresh)
    desired = job.params(*_LAUNCH)
    if (params.get("Preferences") or {}).get("AutoRollback"):
        params["DesiredConfiguration"] = desired
    start = {"AutoScalingGroupName": job.id, **params}
    try:
        job.call("start_instance_refresh", **start)
    except ApiError as error:
        if error.code != "InstanceRefreshInProgress":
            raise
        job.call("cancel_instance_refresh", AutoScalingGroupName=job.id)
        job.retry(["InstanceRefreshInProgress"], "start_instance_refresh", **start)


def _input_name(trigger: str) -> str:
    """A trigger as the program's input: `tag` and `launch_template` are the real provider's."""
    first, *rest = trigger.split("_")
    name = first + "".join(part.capitalize() for part in rest)
    return "tags" if name == "tag" else name


def _wait_for_capacity(
    job: Job, enough: Callable[[int], bool], wanted: str, started: datetime
) -> None:
    """Wait until the group has its instances.

    Raises:
        ProviderError: The time is over, or a scaling activity failed, with the reasons that the
            group's last activities give.
    """
    seconds = duration(str(job.get("waitForCapacityTimeout")))
    if not seconds:
        return
    seen = 0

    def done() -> bool:
        nonlocal seen
        instances = (find(job) or {}).get("Instances") or []
        healthy = [
            i
            for i in instances
            if i["LifecycleState"] == "InService" and i["HealthStatus"].lower() == "healthy"
        ]
        seen = len(healthy)
        if not job.get("ignoreFailedScalingActivities") and (said := _failures(job, started)):
            raise ProviderError(f"scaling activity of {job.id} failed: {'; '.join(said)}")
        return enough(seen)

    try:
        job.wait(
            f"group {job.id} has {wanted} healthy instance(s)", done, seconds=seconds, exact=True
        )
    except ProviderError as error:
        said = _failures(job, started)
        if "scaling activity" in str(error) or isinstance(error, ApiError):
            raise
        reasons = f"; last scaling activities: {'; '.join(said)}" if said else ""
        raise ProviderError(f"{error}, it has {seen}{reasons}") from error


def _failures(job: Job, started: datetime) -> list[str]:
    """What the failed activities since `started` say."""
    activities = job.call("describe_scaling_activities", AutoScalingGroupName=job.id)["Activities"]
    return sorted(
        {
            str(a.get("StatusMessage") or a.get("Description", ""))
            for a in activities
            if a["StatusCode"] == "Failed" and a["StartTime"] >= started.replace(microsecond=0)
        }
    )


def delete(job: Job) -> None:
    """Let the instances go, through their hooks unless it is forced, and then the group."""
    force = bool(job.olds.get("forceDelete"))
    if (group := find(job)) is None:
        return
    if not force:
        _drain(job, group)
    try:
        job.retry(
            _BUSY,
            "delete_auto_scaling_group",
            seconds=_DELETE_SECONDS,
            AutoScalingGroupName=job.id,
            ForceDelete=force,
        )
    except ApiError as error:
        if error.code != "ValidationError" or "not found" not in error.text:
            raise
    job.wait(f"group {job.id} is gone", lambda: find(job) is None, seconds=_DELETE_SECONDS)


def _drain(job: Job, group: Properties) -> None:
    sizes: Properties = {"MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0}
    job.call("update_auto_scaling_group", AutoScalingGroupName=job.id, **sizes)
    protected = [i["InstanceId"] for i in group["Instances"] if i.get("ProtectedFromScaleIn")]
    for start in range(0, len(protected), 50):
        job.call(
            "set_instance_protection",
            AutoScalingGroupName=job.id,
            InstanceIds=protected[start : start + 50],
            ProtectedFromScaleIn=False,
        )
    job.wait(
        f"the instances of group {job.id} are gone",
        lambda: not (find(job) or {}).get("Instances"),
        seconds=_DELETE_SECONDS,
    )
