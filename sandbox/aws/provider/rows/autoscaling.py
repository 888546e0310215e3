"""Auto Scaling groups and policies."""

from typing import Final

from sandbox.aws.provider.calls import Change, Delete, Find
from sandbox.aws.provider.fields import (
    block,
    block_set,
    blocks,
    commas,
    flag,
    local,
    number,
    number_text,
    text,
    text_set,
    texts,
)
from sandbox.aws.provider.rows import groups
from sandbox.aws.provider.table import Auto, Job, Row

_TEMPLATE: Final = {
    "launchTemplateId": text(computed=True),
    "launchTemplateName": text(computed=True),
    "version": text(default="$Default"),
}
_GROUP: Final = {
    "name": text("AutoScalingGroupName", replace=True, computed=True),
    "namePrefix": local("text", replace=True),
    "minSize": number(required=True),
    "maxSize": number(required=True),
    "desiredCapacity": number(computed=True),
    "desiredCapacityType": text(),
    "availabilityZones": text_set(computed=True),
    "vpcZoneIdentifiers": commas("VPCZoneIdentifier", computed=True),
    "launchTemplate": block(
        {
            "id": text("LaunchTemplateId", computed=True),
            "name": text("LaunchTemplateName", computed=True),
            "version": text(default="$Default"),
        }
    ),
    "mixedInstancesPolicy": block(
        {
            "instancesDistribution": block(
                {
                    "onDemandAllocationStrategy": text(computed=True),
                    "onDemandBaseCapacity": number(computed=True),
                    "onDemandPercentageAboveBaseCapacity": number(computed=True),
                    "spotAllocationStrategy": text(computed=True),
                    "spotInstancePools": number(computed=True),
                    "spotMaxPrice": text(),
                },
                computed=True,
            ),
            "launchTemplate": block(
                {
                    "launchTemplateSpecification": block(_TEMPLATE),
                    "overrides": blocks(
                        {
                            "instanceType": text(),
                            "weightedCapacity": text(),
                            "launchTemplateSpecification": block(_TEMPLATE),
                        }
                    ),
                }
            ),
        },
    ),
    "capacityRebalance": flag(),
    "context": text(),
    "defaultCooldown": number(computed=True),
    "defaultInstanceWarmup": number(),
    "healthCheckGracePeriod": number(default=300),
    "healthCheckType": text(computed=True),
    "instanceMaintenancePolicy": block(
        {"maxHealthyPercentage": number(), "minHealthyPercentage": number()}
    ),
    "availabilityZoneDistribution": block(
        {"capacityDistributionStrategy": text(computed=True)}, computed=True
    ),
    "capacityReservationSpecification": block(
        {
            "capacityReservationPreference": text(computed=True),
            "capacityReservationTarget": block(
                {
                    "capacityReservationIds": texts(),
                    "capacityReservationResourceGroupArns": texts(),
                }
            ),
        },
        computed=True,
    ),
    "maxInstanceLifetime": number(default=0),
    "placementGroup": text(),
    "protectFromScaleIn": flag("NewInstancesProtectedFromScaleIn", default=False),
    "serviceLinkedRoleArn": text("ServiceLinkedRoleARN", computed=True),
    "terminationPolicies": texts(default=["Default"]),
    # Told by calls of their own.
    "suspendedProcesses": text_set(""),
    "enabledMetrics": text_set(""),
    "metricsGranularity": text("", default="1Minute"),
    "tags": block_set({"key": text(), "value": text(), "propagateAtLaunch": flag()}, ""),
    "initialLifecycleHooks": block_set(
        {
            "name": text("LifecycleHookName"),
            "lifecycleTransition": text(),
            "defaultResult": text(),
            "heartbeatTimeout": number(),
            "notificationMetadata": text(),
            "notificationTargetArn": text("NotificationTargetARN"),
            "roleArn": text("RoleARN"),
        },
        "",
        local=True,
    ),
    "instanceRefresh": block(
        {
            "strategy": text(),
            "triggers": text_set(""),
            "preferences": block(
                {
                    "autoRollback": flag(),
                    "checkpointDelay": number_text(),
                    "checkpointPercentages": texts(),
                    "instanceWarmup": number_text(),
                    "maxHealthyPercentage": number(),
                    "minHealthyPercentage": number(),
                    "scaleInProtectedInstances": text(),
                    "skipMatching": flag(),
                    "standbyInstances": text(),
                }
            ),
        },
        "",
        local=True,
    ),
    "forceDelete": local(default=False),
    "ignoreFailedScalingActivities": local(default=False),
    "waitForCapacityTimeout": local("text", default="10m"),
}


def _policy_arn(job: Job) -> str:
    return str(job.call("put_scaling_policy", **job.params())["PolicyARN"])


def _create_policy(job: Job) -> str:
    _policy_arn(job)
    return str(job.get("name"))


_POLICY: Final = {
    "autoscalingGroupName": text("AutoScalingGroupName", replace=True, required=True),
    "name": text("PolicyName", replace=True, computed=True),
    "policyType": text(default="SimpleScaling"),
    "adjustmentType": text(),
    "scalingAdjustment": number(),
    "cooldown": number(),
    "enabled": flag(default=True),
    "estimatedInstanceWarmup": number(),
    "metricAggregationType": text(computed=True),
    "minAdjustmentMagnitude": number(),
    "stepAdjustments": block_set(
        {
            "scalingAdjustment": number(),
            "metricIntervalLowerBound": number_text(),
            "metricIntervalUpperBound": number_text(),
        }
    ),
}

ROWS: Final = {
    "aws:autoscaling/group:Group": Row(
        "autoscaling",
        _GROUP,
        groups.create,
        groups.read,
        groups.delete,
        update=[groups.update],
        outputs=["arn", "predictedCapacity", "warmPoolSize", "loadBalancers", "targetGroupArns"],
        ready=groups.ready,
        auto=Auto(),
        check=groups.check,
    ),
    "aws:autoscaling/policy:Policy": Row(
        "autoscaling",
        _POLICY,
        _create_policy,
        Find(
            "describe_policies",
            {"AutoScalingGroupName": "{autoscalingGroupName}", "PolicyNames": ["{id}"]},
            "ScalingPolicies[0]",
            gone=["ValidationError"],
            outputs={"arn": "PolicyARN"},
        ),
        Delete(
            "delete_policy",
            {"AutoScalingGroupName": "{autoscalingGroupName}", "PolicyName": "{id}"},
            ["ValidationError"],
        ),
        # The call that makes a policy also changes it, whole.
        update=[Change(list(_POLICY), "put_scaling_policy", {}, send=list(_POLICY))],
        outputs=["arn"],
        auto=Auto(),
    ),
}  # fmt: skip
