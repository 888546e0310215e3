"""What `up` says when machines do not come: their own reason, AWS's message, or the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.rehearsed import Rehearsed

BROKEN = "The archive is not what was announced"


def test_failed_boots_are_named_and_stop_the_relaunching(
    rehearsed: Callable[[str], Rehearsed],
) -> None:
    stack = rehearsed("dev")
    stack.take_committed()
    stack.sandbox("POST", "guests", {"fail": {"group": "worker", "reason": BROKEN}})
    run = stack.run("up")
    assert not run.result.ok
    assert "failed, the last on i-" in run.messages
    assert BROKEN in run.messages
    suspended = {each["ProcessName"] for each in stack.group("worker")["SuspendedProcesses"]}
    assert suspended == {"AZRebalance", "Launch"}

    # What was wrong is mended; the next `up` resumes the group by itself.
    stack.sandbox("POST", "guests", {"fail": {"group": "worker", "reason": None}})
    stack.up()
    suspended = {each["ProcessName"] for each in stack.group("worker")["SuspendedProcesses"]}
    assert suspended == {"AZRebalance"}
    assert stack.up().changed == {}
    stack.destroy()
    assert stack.contents() == []


def test_all_or_nothing_goes_to_nothing_with_the_groups_own_message(
    rehearsed: Callable[[str], Rehearsed],
) -> None:
    stack = rehearsed("hpc")
    stack.take_committed()
    stack.edit(startTimeout="15 s")
    stack.sandbox("POST", "dry", [{"type": "hpc7a.96xlarge"}])
    run = stack.run("up")
    assert not run.result.ok
    assert "worker: 0 of 4 machines are in service. The group was set to 0." in run.messages
    assert "InsufficientInstanceCapacity" in run.messages
    assert stack.group("worker")["DesiredCapacity"] == 0

    stack.sandbox("DELETE", "dry")
    stack.up()
    assert stack.states("worker") == {"InService": 4}
    stack.destroy()
    assert stack.contents() == []


def test_a_dry_spot_pool_fails_nothing_while_one_worker_comes(
    rehearsed: Callable[[str], Rehearsed],
) -> None:
    stack = rehearsed("dev")
    stack.take_committed()
    stack.edit(workers=3, onDemandFloor=1)
    stack.sandbox("POST", "dry", [{"market": "spot"}])
    stack.up()
    assert stack.states("worker") == {"InService": 1}
    assert stack.group("worker")["DesiredCapacity"] == 3


def test_what_an_idle_stop_ended_is_back_after_an_up(
    rehearsed: Callable[[str], Rehearsed],
) -> None:
    stack = rehearsed("dev")
    stack.take_committed()
    stack.edit(maxWorkers=5)
    stack.up()
    scaling = stack.client("autoscaling")
    name = stack.group("worker")["AutoScalingGroupName"]
    for limit in (5, None):  # the scaler's number, then the file's
        stack.edit(maxWorkers=limit)
        stack.up()
        scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=0)
        stack.eventually(lambda: stack.states("worker"), {})
        stack.up()
        assert stack.group("worker")["DesiredCapacity"] == 2
        stack.eventually(lambda: stack.states("worker"), {"InService": 2})
