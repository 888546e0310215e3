"""A group whose number Kubernetes itself moves: a HorizontalPodAutoscaler, by the use of CPU."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes.podded import kubectl

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kubernetes.podded import Podded
    from tests.running import Load

pytestmark = pytest.mark.timeout(1200)

BURN = """
import time
from distributed import Client
def burn(n):
    end = time.monotonic() + 2
    while time.monotonic() < end:
        pass
with Client() as client:
    print("burning", flush=True)
    client.gather(client.map(burn, range(4000), pure=False))
"""


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Podded:
    stack = podded("hpa")
    stack.take(workers=1, maxWorkers=3, autoscaler="hpa")
    stack.up()
    return stack


def test_it_is_there_and_has_metrics(stack: Podded) -> None:
    (found,) = stack.objects("horizontalpodautoscalers")
    spec = found["spec"]
    assert spec["scaleTargetRef"]["name"] == "dask-hpa-worker"
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 3)

    def known() -> bool:
        answers = kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes")
        return answers.code == 0 and bool(json.loads(answers.text)["items"])

    stack.until(known, "a metrics-server that knows the nodes")

    def measured() -> bool:
        (now,) = stack.objects("horizontalpodautoscalers")
        # Without a measurement it has a metric without a word on it.
        metrics = [each.get("resource") for each in now["status"].get("currentMetrics") or ()]
        return any(each and "averageUtilization" in each["current"] for each in metrics)

    stack.until(measured, "the use of CPU is known")


def test_load_brings_more_pods(stack: Podded) -> None:
    with stack.beside("python", "-u", "-c", BURN) as client:
        client.wait_for("burning")
        # On a busy machine it takes long until they had the CPU that they ask for.
        stack.until(lambda: stack.replicas() == 3, "three workers are asked for", 600)
        stack.settled(3)
        # The number is not ours: neither `up` nor the scaler touches it.
        assert stack.up().changed == {}
        assert stack.replicas() == 3


def test_fewer_by_its_hand_lose_nothing(stack: Podded, load: Callable[..., Load]) -> None:
    """It chooses by itself; pods drain all the same."""
    there = stack.replicas()
    load_ = load(there)
    (name,) = (each["metadata"]["name"] for each in stack.objects("horizontalpodautoscalers"))
    patch = {"spec": {"maxReplicas": 1}}
    stack.kubectl("patch", "hpa", name, "--type", "merge", "--patch", json.dumps(patch))
    stack.settled(1)
    load_.check({"SIGTERM": there - 1})
