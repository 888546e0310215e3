"""The models of the Kubernetes platform: what a worker has, and models made by hand."""

from typing import Any

import pytest

from components.settings import (
    Jupyter,
    KubernetesSettings,
    KubernetesWorkerGroup,
    Layout,
    SettingsError,
    VmWorkerGroup,
)

GIB, MIB = 2**30, 2**20
IMAGE = f"ghcr.io/me/dask@sha256:{'0123456789abcdef' * 4}"


def stack(**more: Any) -> KubernetesSettings:  # noqa: ANN401
    least = {"workers": 2, "context": "kind-kind", "image_repository": "ghcr.io/me/dask"}
    return KubernetesSettings(platform="kubernetes", **(least | more))


def group(**more: Any) -> KubernetesWorkerGroup:  # noqa: ANN401
    return KubernetesWorkerGroup(**({"workers": 1} | more))


def test_a_worker_has_most_of_its_container() -> None:
    assert group(cpu=4, memory=8 * GIB).layout == Layout(
        processes=1, threads=4, memory=8 * GIB * 92 // 100 - 128 * MIB, resources={}
    )


@pytest.mark.parametrize(
    ("cpu", "threads"), [(0.05, 1), (0.999, 1), (1, 1), (1.001, 2), (2, 2), (3.5, 4)]
)
def test_a_part_of_a_cpu_is_a_thread(cpu: float, threads: int) -> None:
    assert group(cpu=cpu).place.threads == threads


def test_a_worker_is_split_over_its_processes() -> None:
    split = group(cpu=7.5, memory=16 * GIB, processes=4, resources={"GPU": 8})
    whole = 16 * GIB * 92 // 100 - 128 * MIB
    assert split.layout == Layout(processes=4, threads=2, memory=whole // 4, resources={"GPU": 2.0})
    assert group(cpu=7.5, processes="auto").layout.processes == 4


@pytest.mark.parametrize(("processes", "least"), [(1, 279), (2, 418), (4, 696)])
def test_the_least_memory_that_is_named_is_enough(processes: int, least: int) -> None:
    more = {"cpu": processes, "processes": processes}
    assert stack(memory=least * MIB, **more).layout.memory >= 128 * MIB
    with pytest.raises(SettingsError, match=f"Write at least `{least} MiB`"):
        stack(memory=(least - 1) * MIB, **more)


def test_groups_are_those_of_the_platform() -> None:
    settings = stack(groups={"big": group(cpu=8)})
    assert list(settings.worker_groups) == ["worker", "big"]
    assert settings.worker_groups["worker"] is settings
    assert isinstance(settings, KubernetesWorkerGroup)
    with pytest.raises(ValueError, match=r"groups\.a"):
        stack(groups={"a": VmWorkerGroup(workers=1, instance_types=("m7i.large",))})


def test_the_rules_hold_for_a_model_made_by_hand() -> None:
    with pytest.raises(SettingsError, match=r"image +stands beside"):
        stack(image=IMAGE)
    with pytest.raises(SettingsError, match=r"imageRepository +is missing"):
        stack(image_repository=None)
    with pytest.raises(SettingsError, match=r"groups\.a\.autoscaler"):
        stack(groups={"a": group(autoscaler="hpa")})


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_nobody_is_let_in_by_default(kind: str) -> None:
    with pytest.raises(SettingsError, match="serviceType"):
        stack(service_type=kind)


@pytest.mark.parametrize(("processes", "right"), [(100, True), (101, False)])
def test_a_pod_has_ports_for_so_many_processes(processes: int, right: bool) -> None:  # noqa: FBT001
    more = {"cpu": processes, "processes": processes, "memory": 64 * GIB}
    if right:
        assert stack(**more).layout.threads == 1
    else:
        with pytest.raises(SettingsError, match="ports for 100"):
            stack(**more)


ALLOWED_TOGETHER: list[dict[str, Any]] = [
    {"autoscaler": "hpa", "max_workers": 2},
    # A stop to no pods switches Kubernetes' autoscaler off, a return to `workers` on.
    {"autoscaler": "hpa", "max_workers": 9, "idle_stop": 60.0, "no_client_stop": 60.0},
    {"workers": 0, "max_workers": 9, "idle_stop": 60.0},
    {"workers": 0},
    {"image_repository": None, "image": IMAGE, "packages": ("xarray>=2025.1",)},
    {"service_type": "LoadBalancer", "allowed_cidrs": ("203.0.113.0/24",)},
    {"jupyter": Jupyter(storage_class="gp3"), "namespace": "default"},
    {"drain_timeout": 86400.0, "lifetime": 60.0},
]


@pytest.mark.parametrize("keys", ALLOWED_TOGETHER, ids="+".join)
def test_what_may_stand_together(keys: dict[str, Any]) -> None:
    settings = stack(**keys)
    assert {key: getattr(settings, key) for key in keys} == keys
