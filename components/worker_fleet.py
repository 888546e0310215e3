"""A group of workers on AWS: any number of machines as one Auto Scaling group."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi
from pulumi_aws import autoscaling, cloudwatch
from pulumi_aws.autoscaling import (
    GroupMixedInstancesPolicyLaunchTemplateLaunchTemplateSpecificationArgs as LaunchTemplateSpecification,  # noqa: E501
)

from components.aws import CLUSTER_TAG
from components.boot import DRAIN_HOOK
from components.launch_template import Machine, create_launch_template
from components.ready import HEARTBEAT, WORKERS_TAG
from components.scheduler_host import group_tags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.settings import VmSettings, VmWorkerGroup

# A machine that drains says so every minute; one that has died is let go after this time. AWS
# bounds a wait to 100 heartbeats: 8 hours and 20 minutes.
HEARTBEAT_SECONDS = 300
# While a new version rolls, so much of the group holds the data.
HEALTHY_PERCENT = 80
# The scheduler puts a metric every minute. Without it for so long, nobody would stop the workers.
SILENT_MINUTES = 20


class WorkerFleet(pulumi.ComponentResource):
    """``workers`` machines, or as many as the scaler wants.

    Another number is one update of one resource; the machines that go drain first, held by the
    terminate hook. Another launch template rolls through by an instance refresh in the background.
    The least size is 0: AWS would refuse to stop an idle fleet below another one.

    Attributes:
        group: Name of the Auto Scaling group.
        workers: How many machines the stack file wants; with ``maxWorkers`` at least.
    """

    group: pulumi.Output[str]
    workers: int

    def __init__(
        self,
        name: str,
        *,
        group_name: str,
        autoscaling_group: str,
        settings: VmSettings,
        machine: Machine,
        subnet_ids: Sequence[pulumi.Input[str]],
        placement_group: pulumi.Input[str] | None,
        topic: pulumi.Input[str],
        common_tags: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Start the machines.

        Args:
            name: Prefix of its resources' names, and the machines' name.
            group_name: The group's name in the stack file.
            autoscaling_group: Its name on AWS.
            settings: The stack's settings.
            machine: What the machines are.
            subnet_ids: Where they may be.
            placement_group: Name of the placement group, or None.
            topic: ARN of the topic that hears of a silent scheduler.
            common_tags: The tags of the whole cluster.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:WorkerFleet", name, None, opts)
        self._prefix = name
        self._child = pulumi.ResourceOptions(parent=self)
        self._settings = settings
        self._group = settings.worker_groups[group_name]
        self._template = create_launch_template(
            name,
            machine=machine,
            cluster=common_tags[CLUSTER_TAG],
            opts=self._child,
        )
        lifetime = "" if settings.lifetime is None else f"{settings.lifetime:g}"
        propagated = {
            **common_tags,
            "Name": name,
            "dask-cluster:group": group_name,
            "dask-cluster:lifetime": lifetime,
        }
        created = self._create_group(
            autoscaling_group,
            subnet_ids,
            placement_group,
            group_tags(propagated, _numbers(settings, self._group)),
        )
        self.group = created.name
        self.workers = self._group.workers
        self._create_dead_scheduler_stop(created, topic)
        self.register_outputs({})

    def _create_group(
        self,
        autoscaling_group: str,
        subnet_ids: Sequence[pulumi.Input[str]],
        placement_group: pulumi.Input[str] | None,
        tags: list[autoscaling.GroupTagArgs],
    ) -> autoscaling.Group:
        scaled = self._group.max_workers is not None
        return autoscaling.Group(
            self._prefix,
            name=autoscaling_group,
            min_size=0,
            max_size=self._group.most_workers,
            desired_capacity=self._group.workers,
            vpc_zone_identifiers=list(subnet_ids),
            placement_group=placement_group,
            mixed_instances_policy=self._machines(),
            health_check_type="EC2",
            # Its rebalancing would end workers that compute.
            suspended_processes=["AZRebalance"],
            initial_lifecycle_hooks=[
                autoscaling.GroupInitialLifecycleHookArgs(
                    name=DRAIN_HOOK,
                    lifecycle_transition="autoscaling:EC2_INSTANCE_TERMINATING",
                    heartbeat_timeout=HEARTBEAT_SECONDS,
                    default_result="CONTINUE",
                )
            ],
            instance_refresh=autoscaling.GroupInstanceRefreshArgs(
                strategy="Rolling",
                preferences=autoscaling.GroupInstanceRefreshPreferencesArgs(
                    min_healthy_percentage=HEALTHY_PERCENT, skip_matching=True
                ),
            ),
            # A pool without spare machines must not fail an `up`; `Ready` waits for the first.
            wait_for_capacity_timeout="0",
            ignore_failed_scaling_activities=True,
            tags=tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                # The scaler's number is not ours to set.
                ignore_changes=["desiredCapacity"] if scaled else [],
                custom_timeouts=pulumi.CustomTimeouts(delete=self._delete_timeout()),
            ),
        )

    def _machines(self) -> autoscaling.GroupMixedInstancesPolicyArgs:
        group = self._group
        specification = LaunchTemplateSpecification(
            launch_template_id=self._template.id,
            version=self._template.latest_version.apply(str),
        )
        return autoscaling.GroupMixedInstancesPolicyArgs(
            instances_distribution=autoscaling.GroupMixedInstancesPolicyInstancesDistributionArgs(
                on_demand_allocation_strategy="prioritized",
                on_demand_base_capacity=group.on_demand_floor,
                on_demand_percentage_above_base_capacity=0 if group.spot else 100,
                # Not the API's own default, which takes the cheapest pool and loses it first.
                spot_allocation_strategy="price-capacity-optimized",
            ),
            launch_template=autoscaling.GroupMixedInstancesPolicyLaunchTemplateArgs(
                launch_template_specification=specification,
                overrides=[
                    autoscaling.GroupMixedInstancesPolicyLaunchTemplateOverrideArgs(
                        instance_type=each
                    )
                    for each in group.instance_types
                ],
            ),
        )

    def _delete_timeout(self) -> str:
        """Allow for a drain and the end of the machines after it."""
        return f"{round(self._settings.drain_timeout) + 2 * HEARTBEAT_SECONDS}s"

    def _create_dead_scheduler_stop(
        self, group: autoscaling.Group, topic: pulumi.Input[str]
    ) -> None:
        """Stop the group by a rule outside of the scheduler, where that one has fallen silent."""
        policy = autoscaling.Policy(
            f"{self._prefix}-stop",
            autoscaling_group_name=group.name,
            policy_type="SimpleScaling",
            adjustment_type="ExactCapacity",
            scaling_adjustment=0,
            cooldown=0,
            opts=self._child,
        )
        name = f"{self._prefix}-scheduler-silent"
        cloudwatch.MetricAlarm(
            name,
            alarm_description=f"No sign of the scheduler: {self._prefix} is stopped.",
            namespace=HEARTBEAT["Namespace"],
            metric_name=HEARTBEAT["MetricName"],
            dimensions={"Cluster": pulumi.get_stack()},
            statistic="SampleCount",
            comparison_operator="LessThanThreshold",
            threshold=1,
            period=60,
            evaluation_periods=SILENT_MINUTES,
            treat_missing_data="breaching",
            alarm_actions=[policy.arn, topic],
            tags={"Name": name},
            opts=self._child,
        )


def _numbers(settings: VmSettings, group: VmWorkerGroup) -> dict[str, str]:
    """Return what the scaler reads again and again: no change of it touches a machine."""
    layout = group.layout
    return {
        WORKERS_TAG: str(group.workers),
        "dask-cluster:max-workers": "" if group.max_workers is None else str(group.max_workers),
        "dask-cluster:idle-stop": _seconds(settings.idle_stop),
        "dask-cluster:no-client-stop": _seconds(settings.no_client_stop),
        "dask-cluster:layout": json.dumps(
            {
                "processes": layout.processes,
                "threads": layout.threads,
                "memory": layout.memory,
                "resources": dict(layout.resources),
            }
        ),
    }


def _seconds(duration: float | None) -> str:
    return "" if duration is None else f"{duration:g}"
