"""Any number of workers is the same changes to AWS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.rehearsed import Rehearsed

READING = ("Describe", "Get", "Head", "List")
MANY = 2000
SETTINGS: dict[str, Any] = {
    "platform": "vm",
    "region": "us-east-1",
    "vpc": {"zones": ["us-east-1a"]},
    "instanceTypes": ["m7i.large"],
    "startTimeout": "1 minute",
}


def test_any_number_of_workers_is_the_same_changes(
    rehearsed: Callable[[str], Rehearsed],
) -> None:
    one, many = rehearsed("one"), rehearsed("many")
    with ThreadPoolExecutor() as pool:  # much of an `up` is waiting
        few = pool.submit(_changes, one, workers=1)
        assert _changes(many, workers=MANY) == few.result()
    assert few.result()["autoscaling CreateAutoScalingGroup"] == 2  # of scheduler and workers
    assert many.group("worker")["DesiredCapacity"] == MANY
    # Another number of workers is one group that changes, and its tag that the scaler reads.
    edit = {"autoscaling UpdateAutoScalingGroup": 1, "autoscaling CreateOrUpdateTags": 1}
    assert _changes(one, workers=MANY) == edit
    assert one.group("worker")["DesiredCapacity"] == MANY


def _changes(stack: Rehearsed, *, workers: int) -> dict[str, int]:
    """Run `up` with so many workers; return its calls that change something."""
    stack.take(SETTINGS | {"workers": workers})
    stack.sandbox("DELETE", "calls")
    stack.up()
    table: dict[str, dict[str, int]] = stack.sandbox("GET", "calls")
    return {
        f"{service} {operation}": count
        for service, counts in table.items()
        for operation, count in counts.items()
        if not operation.startswith(READING)
    }
