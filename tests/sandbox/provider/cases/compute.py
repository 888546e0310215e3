"""Groups and their policies."""

from __future__ import annotations

from tests.sandbox.provider.cases.case import Call, Case


def described(name: str, path: str) -> Call:
    return Call(
        "autoscaling",
        "describe_auto_scaling_groups",
        {"AutoScalingGroupNames": [f"${{{name}.name}}"]},
        f"AutoScalingGroups[0].{path}",
    )


def asg_tag(key: str, value: str, *, propagate: bool) -> dict[str, object]:
    return {"Key": key, "Value": value, "PropagateAtLaunch": propagate}


WORKERS = Case(
    "workers",
    "autoscaling.Group",
    {
        "min_size": 0,
        "max_size": 4,
        "desired_capacity": 4,
        "vpc_zone_identifiers": ["${subnet.id}"],
        "wait_for_capacity_timeout": "0",
        "ignore_failed_scaling_activities": True,
        "capacity_rebalance": True,
        "suspended_processes": ["AZRebalance"],
        "termination_policies": ["NewestInstance"],
        "health_check_grace_period": 60,
        "enabled_metrics": ["GroupDesiredCapacity"],
        "initial_lifecycle_hooks": [
            {
                "name": "drain",
                "lifecycle_transition": "autoscaling:EC2_INSTANCE_TERMINATING",
                "heartbeat_timeout": 300,
                "default_result": "CONTINUE",
            }
        ],
        "instance_refresh": {
            "strategy": "Rolling",
            "preferences": {"min_healthy_percentage": 50, "instance_warmup": "30"},
        },
        "mixed_instances_policy": {
            "instances_distribution": {
                "on_demand_base_capacity": 1,
                "on_demand_percentage_above_base_capacity": 0,
                "spot_allocation_strategy": "price-capacity-optimized",
            },
            "launch_template": {
                "launch_template_specification": {
                    "launch_template_id": "${template.id}",
                    "version": "${template.latest_version}",
                },
                "overrides": [{"instance_type": "m5.large"}, {"instance_type": "m5a.large"}],
            },
        },
        "tags": [
            {"key": "dask-cluster", "value": "dev", "propagate_at_launch": True},
            {"key": "dask-cluster:workers", "value": "4", "propagate_at_launch": False},
        ],
    },
    described(
        "workers",
        "{min: MinSize, max: MaxSize, desired: DesiredCapacity, subnets: VPCZoneIdentifier, "
        "policies: TerminationPolicies, grace: HealthCheckGracePeriod, rebalance: "
        "CapacityRebalance, suspended: SuspendedProcesses[].ProcessName, metrics: "
        "EnabledMetrics[].Metric, mixed: MixedInstancesPolicy, tags: sort_by(Tags, &Key)[].{Key: "
        "Key, Value: Value, PropagateAtLaunch: PropagateAtLaunch}}",
    ),
    {
        "min": 0,
        "max": 4,
        "desired": 4,
        "subnets": "${subnet.id}",
        "policies": ["NewestInstance"],
        "grace": 60,
        "rebalance": True,
        "suspended": ["AZRebalance"],
        "metrics": ["GroupDesiredCapacity"],
        "mixed": {
            "InstancesDistribution": {
                "OnDemandAllocationStrategy": "prioritized",
                "OnDemandBaseCapacity": 1,
                "OnDemandPercentageAboveBaseCapacity": 0,
                "SpotAllocationStrategy": "price-capacity-optimized",
            },
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {
                    "LaunchTemplateId": "${template.id}",
                    "LaunchTemplateName": "${template.name}",
                    "Version": "1",
                },
                "Overrides": [{"InstanceType": "m5.large"}, {"InstanceType": "m5a.large"}],
            },
        },
        "tags": [
            asg_tag("dask-cluster", "dev", propagate=True),
            asg_tag("dask-cluster:workers", "4", propagate=False),
        ],
    },
    then={
        "max_size": 6,
        "desired_capacity": 6,
        "suspended_processes": None,
        "enabled_metrics": None,
        "capacity_rebalance": False,
        "tags": [
            {"key": "dask-cluster", "value": "dev", "propagate_at_launch": True},
            {"key": "dask-cluster:workers", "value": "6", "propagate_at_launch": False},
        ],
    },
    had={
        "max": 6,
        "desired": 6,
        "suspended": [],
        "metrics": [],
        "rebalance": False,
        "mixed.LaunchTemplate.LaunchTemplateSpecification.Version": "2",
        "tags": [
            asg_tag("dask-cluster", "dev", propagate=True),
            asg_tag("dask-cluster:workers", "6", propagate=False),
        ],
    },
    by_hand=(
        Call(
            "autoscaling",
            "set_desired_capacity",
            {"AutoScalingGroupName": "${workers.name}", "DesiredCapacity": 1},
        ),
        Call(
            "autoscaling",
            "suspend_processes",
            {"AutoScalingGroupName": "${workers.name}", "ScalingProcesses": ["Launch"]},
        ),
    ),
    seen=("desiredCapacity", "suspendedProcesses"),
    replacing={"name": "other", "namePrefix": "other"},
)


SCHEDULER = Case(
    "scheduler",
    "autoscaling.Group",
    {
        "min_size": 0,
        "max_size": 1,
        "desired_capacity": 1,
        "vpc_zone_identifiers": ["${subnet.id}"],
        "launch_template": {"id": "${template.id}", "version": "${template.latest_version}"},
        "wait_for_capacity_timeout": "30s",
    },
    described(
        "scheduler",
        "{max: MaxSize, desired: DesiredCapacity, template: LaunchTemplate, "
        "there: length(Instances[?LifecycleState=='InService'])}",
    ),
    {
        "max": 1,
        "desired": 1,
        "template": {
            "LaunchTemplateId": "${template.id}",
            "LaunchTemplateName": "${template.name}",
            "Version": "1",
        },
        "there": 1,
    },
    then={"max_size": 2, "desired_capacity": 2},
    had={"max": 2, "desired": 2, "template.Version": "2", "there": 2},
    by_hand=(
        Call(
            "autoscaling",
            "update_auto_scaling_group",
            {"AutoScalingGroupName": "${scheduler.name}", "MaxSize": 3},
        ),
    ),
    seen=("maxSize",),
)


POLICY = Case(
    "stop",
    "autoscaling.Policy",
    {
        "autoscaling_group_name": "${workers.name}",
        "adjustment_type": "ExactCapacity",
        "scaling_adjustment": 0,
    },
    Call(
        "autoscaling",
        "describe_policies",
        {"PolicyNames": ["${stop.name}"]},
        "ScalingPolicies[0].{group: AutoScalingGroupName, how: AdjustmentType, "
        "kind: PolicyType, to: ScalingAdjustment}",
    ),
    {
        "group": "${workers.name}",
        "how": "ExactCapacity",
        "kind": "SimpleScaling",
        "to": 0,
    },
    then={"scaling_adjustment": 1},
    had={"to": 1},
    by_hand=(
        Call(
            "autoscaling",
            "put_scaling_policy",
            {
                "PolicyName": "${stop.name}",
                "AutoScalingGroupName": "${workers.name}",
                "AdjustmentType": "ExactCapacity",
                "ScalingAdjustment": 3,
            },
        ),
    ),
    seen=("scalingAdjustment",),
    replacing={"name": "other", "autoscalingGroupName": "other"},
)


CASES = [WORKERS, SCHEDULER, POLICY]
