"""Kubernetes' own autoscaler for a group of workers, by the use of CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_kubernetes.autoscaling import v2 as autoscaling

from components.kubernetes.names import WORKER, Names

if TYPE_CHECKING:
    import pulumi

# Of what the pods ask for, on average. Above it workers have more to do than they can.
BUSY_PERCENT = 80
# A pod that goes hands over its data: slowly, and only when it has been quiet for a while.
QUIET_SECONDS = 300
MINUTE = 60
# Each time by so much at most, or by so many.
UP_PERCENT = 100
UP_PODS = 4
UP_SECONDS = 15


def create_horizontal_autoscaler(
    names: Names, group: str, *, least: int, most: int, opts: pulumi.ResourceOptions
) -> autoscaling.HorizontalPodAutoscaler:
    """Create the autoscaler of a group's Deployment. The cluster must have a metrics server.

    It knows no tasks: it chooses neither the moment nor the pods as Dask would. Those that it ends
    drain all the same.

    Args:
        names: What objects are called.
        group: The group of workers.
        least: Workers at least; 1 or more.
        most: Workers at most.
        opts: Resource options.
    """
    policy = autoscaling.HPAScalingPolicyArgs
    return autoscaling.HorizontalPodAutoscaler(
        names.of(group),
        metadata=names.metadata(group, WORKER, group=group),
        spec=autoscaling.HorizontalPodAutoscalerSpecArgs(
            scale_target_ref=autoscaling.CrossVersionObjectReferenceArgs(
                api_version="apps/v1", kind="Deployment", name=names.of(group)
            ),
            min_replicas=least,
            max_replicas=most,
            metrics=[
                autoscaling.MetricSpecArgs(
                    type="Resource",
                    resource=autoscaling.ResourceMetricSourceArgs(
                        name="cpu",
                        target=autoscaling.MetricTargetArgs(
                            type="Utilization", average_utilization=BUSY_PERCENT
                        ),
                    ),
                )
            ],
            behavior=autoscaling.HorizontalPodAutoscalerBehaviorArgs(
                scale_up=autoscaling.HPAScalingRulesArgs(
                    stabilization_window_seconds=0,
                    select_policy="Max",
                    policies=[
                        policy(type="Percent", value=UP_PERCENT, period_seconds=UP_SECONDS),
                        policy(type="Pods", value=UP_PODS, period_seconds=UP_SECONDS),
                    ],
                ),
                scale_down=autoscaling.HPAScalingRulesArgs(
                    stabilization_window_seconds=QUIET_SECONDS,
                    select_policy="Max",
                    policies=[policy(type="Pods", value=1, period_seconds=MINUTE)],
                ),
            ),
        ),
        opts=opts,
    )
