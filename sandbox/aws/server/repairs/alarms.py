"""Alarms that are evaluated, and act.

AWS looks at each alarm once in its period. What it knows of missing data decides what an alarm
does that never got any: treated as breaching, such an alarm goes off at its first look.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from sandbox.aws.server.groups import api_policies
from sandbox.aws.server.repairs.patching import replace
from sandbox.aws.server.world import WORLD

_KEPT_POINTS: Final = 10_000
_STATISTICS: Final[dict[str, Callable[[list[float]], float]]] = {
    "SampleCount": len,
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
}
_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": lambda value, limit: value > limit,
    "GreaterThanOrEqualToThreshold": lambda value, limit: value >= limit,
    "LessThanThreshold": lambda value, limit: value < limit,
    "LessThanOrEqualToThreshold": lambda value, limit: value <= limit,
}
OK: Final = "OK"
ALARM: Final = "ALARM"
INSUFFICIENT: Final = "INSUFFICIENT_DATA"


@dataclass(frozen=True)
class _Point:
    at: float
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]
    value: float


def apply() -> None:
    """Evaluate alarms."""
    put, data = CloudWatchBackend.put_metric_alarm, CloudWatchBackend.put_metric_data
    update = Alarm.update_state

    def put_alarm(self: CloudWatchBackend, **kwargs: Any) -> Alarm:  # noqa: ANN401
        before = self.alarms.get(kwargs["name"])
        alarm = put(self, **kwargs)
        if before is None:
            alarm.state_value = INSUFFICIENT
        else:
            # A changed alarm keeps its state until it is looked at again.
            alarm.state_value = before.state_value
            alarm.state_reason = before.state_reason
            alarm.state_updated_timestamp = before.state_updated_timestamp
        _watch(self, alarm)
        return alarm

    def put_data(
        self: CloudWatchBackend, namespace: str, metric_data: list[dict[str, Any]]
    ) -> None:
        data(self, namespace, metric_data)
        _points(self).extend(_read(namespace, metric_data))

    def update_state(self: Alarm, reason: str, reason_data: str, state_value: str) -> None:
        changed = self.state_value != state_value
        update(self, reason, reason_data, state_value)
        if changed:
            _act(self, again=False)

    replace(CloudWatchBackend, "put_metric_alarm", put_alarm)
    replace(CloudWatchBackend, "put_metric_data", put_data)
    replace(Alarm, "update_state", update_state)


def _points(backend: CloudWatchBackend) -> "deque[_Point]":
    kept: deque[_Point] = backend.__dict__.setdefault("sandbox_points", deque(maxlen=_KEPT_POINTS))
    return kept


def _read(namespace: str, rows: list[dict[str, Any]]) -> list[_Point]:
    points = []
    for row in rows:
        dimensions = frozenset(
            (str(one["Name"]), str(one["Value"])) for one in row.get("Dimensions") or []
        )
        values = row.get("Values") or [row.get("Value", 0)]
        points += [
            _Point(WORLD.clock.now(), namespace, str(row["MetricName"]), dimensions, float(value))
            for value in values
        ]
    return points


def _watch(backend: CloudWatchBackend, alarm: Alarm) -> None:
    """Look at an alarm of one metric in each of its periods, as long as it exists."""
    if not alarm.metric_name or not alarm.period or not alarm.statistic:
        return

    def look() -> None:
        if backend.alarms.get(alarm.name) is not alarm:
            return
        _evaluate(backend, alarm)
        WORLD.clock.after(float(alarm.period), look)

    WORLD.clock.after(float(alarm.period), look)


def _evaluate(backend: CloudWatchBackend, alarm: Alarm) -> None:
    periods = [_value(backend, alarm, number) for number in range(int(alarm.evaluation_periods))]
    state = _state(alarm, periods)
    if state is None or state == alarm.state_value:
        if alarm.state_value == ALARM:
            _act(alarm, again=True)
        return
    seen = [value for value in periods if value is not None]
    reason = f"Threshold Crossed: {len(seen)} of {len(periods)} periods have data: {seen}"
    alarm.update_state(reason, "{}", state)


def _value(backend: CloudWatchBackend, alarm: Alarm, number: int) -> float | None:
    """Return the statistic of the period that ended so many periods ago; None without data."""
    end = WORLD.clock.now() - number * float(alarm.period)
    wanted = frozenset((one.name, one.value) for one in alarm.dimensions)
    values = [
        point.value
        for point in _points(backend)
        if end - float(alarm.period) < point.at <= end
        and (point.namespace, point.name, point.dimensions)
        == (alarm.namespace, alarm.metric_name, wanted)
    ]
    return float(_STATISTICS[alarm.statistic](values)) if values else None


def _state(alarm: Alarm, periods: list[float | None]) -> str | None:
    """Return the state that the periods mean; None: it stays as it is."""
    compare = _COMPARISONS[alarm.comparison_operator]
    treat = alarm.treat_missing_data or "missing"
    if treat in {"missing", "ignore"} and all(value is None for value in periods):
        return INSUFFICIENT if treat == "missing" else None
    breaching = sum(
        treat == "breaching" if value is None else compare(value, float(alarm.threshold))
        for value in periods
    )
    needed = int(alarm.datapoints_to_alarm or alarm.evaluation_periods)
    missing = 0 if treat in {"breaching", "notBreaching"} else periods.count(None)
    # Periods that are not known to be fine do not take an alarm back.
    if breaching >= min(needed, len(periods) - missing):
        return ALARM
    return OK


def _act(alarm: Alarm, *, again: bool) -> None:
    """Run an alarm's actions; of a state that goes on, only those of Auto Scaling."""
    if not alarm.actions_enabled:
        return
    actions = {
        ALARM: alarm.alarm_actions,
        OK: alarm.ok_actions,
        INSUFFICIENT: alarm.insufficient_data_actions,
    }[alarm.state_value]
    for arn in actions or []:
        if ":autoscaling:" in arn:
            api_policies.alarm(alarm.region_name, arn)
        elif ":sns:" in arn and not again:
            topic = sns_backends[DEFAULT_ACCOUNT_ID][alarm.region_name].topics.get(arn)
            if topic is not None:
                topic.publish(f"{alarm.name} is {alarm.state_value}: {alarm.state_reason}")
