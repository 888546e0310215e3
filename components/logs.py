"""What a cluster says of itself: its logs, and the parameters in which its machines report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_aws import cloudwatch, ec2, iam, ssm

from components.policy_documents import allow, document, service_role_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.network import Network

RETENTION_DAYS = 30


class Reports(pulumi.ComponentResource):
    """One log group for all machines, and one parameter for each group's boots.

    Machines write into what is here and create nothing, so that a destroy leaves nothing.

    Attributes:
        log_group: Name of the log group.
        log_group_arn: The same for policies.
        boot: ARNs of the parameters that say how the boots of a group went, by group.
        registered: ARN of the parameter in which the scheduler says who has come.
        ready: What a machine that reports depends on.
    """

    log_group: pulumi.Output[str]
    log_group_arn: pulumi.Output[str]
    boot: dict[str, pulumi.Output[str]]
    registered: pulumi.Output[str]
    ready: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        cluster: str,
        groups: Iterable[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create log group and parameters.

        Args:
            name: Prefix of its resources' names.
            cluster: The cluster's name, part of theirs.
            groups: The scheduler's and the workers' groups.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:Reports", name, None, opts)
        self._prefix = name
        self._path = f"/dask-cluster/{cluster}"
        self.ready = []
        logs = create_log_group(name, self._path, self)
        self.ready.append(logs)
        self.log_group = logs.name
        self.log_group_arn = logs.arn
        self.registered = self._create_parameter("registered")
        self.boot = {group: self._create_parameter(f"{group}/boot") for group in groups}
        self.register_outputs({})

    def _create_parameter(self, path: str) -> pulumi.Output[str]:
        parameter = ssm.Parameter(
            f"{self._prefix}-{path.replace('/', '-')}",
            name=f"{self._path}/{path}",
            type="String",
            value="{}",
            tags={"Name": f"{self._path}/{path}"},
            # From the first boot on it is the machines'.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["value"]),
        )
        self.ready.append(parameter)
        return parameter.arn


class FlowLogs(pulumi.ComponentResource):
    """Every connection in the cluster's VPC, allowed or refused, in a log group of its own."""

    def __init__(
        self,
        name: str,
        *,
        cluster: str,
        network: Network,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the log group, a role that may write into it, and the flow log.

        Args:
            name: Prefix of its resources' names.
            cluster: The cluster's name, part of the log group's.
            network: The VPC to be logged.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:FlowLogs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        logs = create_log_group(name, f"/dask-cluster/{cluster}/flow", self)
        role = iam.Role(
            name,
            description=f"Flow logs of {cluster}",
            assume_role_policy=service_role_policy("vpc-flow-logs.amazonaws.com"),
            tags={"Name": name},
            opts=child,
        )
        policy = iam.RolePolicy(
            name,
            role=role.name,
            policy=logs.arn.apply(_may_write),
            opts=child,
        )
        ec2.FlowLog(
            name,
            vpc_id=network.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=logs.arn,
            iam_role_arn=role.arn,
            tags={"Name": name},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self.register_outputs({})


def create_log_group(
    name: str, log_group: str, parent: pulumi.ComponentResource
) -> cloudwatch.LogGroup:
    """Create a log group before any service does: that one would keep its logs for ever."""
    return cloudwatch.LogGroup(
        name,
        name=log_group,
        retention_in_days=RETENTION_DAYS,
        tags={"Name": log_group},
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _may_write(log_group: str) -> str:
    """Return what flow logs ask for, less the making of groups.

    It is that of "IAM role for publishing flow logs to CloudWatch Logs", VPC User Guide.
    """
    actions = ["CreateLogStream", "DescribeLogGroups", "DescribeLogStreams", "PutLogEvents"]
    return document([allow([f"logs:{action}" for action in actions], [f"{log_group}:*"])])
