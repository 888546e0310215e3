"""Who may do what on AWS: a role for the scheduler, one for workers, and a policy for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_aws import iam

from components.aws import CLUSTER_TAG, partition
from components.policy_documents import Statement, allow, buckets, document, trust

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.certificates import Role


@dataclass(frozen=True)
class Reach:
    """What a cluster consists of, as ARNs: all that its roles can ever touch.

    Attributes:
        archive: The object that hosts boot from.
        secrets: The certificate of each role, by role.
        log_group: Where hosts write their logs.
        boot: The parameters in which hosts of each group say how their boot went, by group.
        registered: The parameter in which the scheduler says who has come.
        zone: The private zone.
    """

    archive: pulumi.Input[str]
    secrets: Mapping[Role, pulumi.Output[str]]
    log_group: pulumi.Input[str]
    boot: Mapping[str, pulumi.Input[str]]
    registered: pulumi.Input[str]
    zone: pulumi.Input[str]


class Identity(pulumi.ComponentResource):
    """Instance profiles of scheduler and workers, and the policy "may connect".

    Attributes:
        scheduler_profile: ARN of the scheduler's instance profile.
        worker_profile: ARN of the workers' instance profile.
        connect_policy: ARN of a managed policy for whoever may use the cluster.
    """

    scheduler_profile: pulumi.Output[str]
    worker_profile: pulumi.Output[str]
    connect_policy: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        cluster: str,
        region: str,
        reach: Reach,
        groups: Mapping[str, str],
        scheduler_group: str,
        record: str,
        read_buckets: Sequence[str],
        write_buckets: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the roles.

        Args:
            name: Prefix of its resources' names.
            cluster: The cluster's name, as its tag has it.
            region: Where it is.
            reach: What it consists of.
            groups: Names of the workers' Auto Scaling groups, by group.
            scheduler_group: Name of the scheduler's Auto Scaling group.
            record: The scheduler's name in the private zone.
            read_buckets: Buckets, or ``bucket/prefix``, whose objects tasks may read.
            write_buckets: The same for reading, writing and deleting.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:Identity", name, None, opts)
        self._prefix = name
        self._cluster = cluster
        self._region = region
        self._partition = partition(region)
        self._child = pulumi.ResourceOptions(parent=self)
        data = buckets(self._partition, read_buckets, write_buckets)
        # First, and so the last to go: IAM keeps a policy that is attached to somebody, and a
        # destroy that stops there has ended the machines.
        self._connect_policy = self._create_connect_policy(reach)
        self.connect_policy = self._connect_policy.arn
        self.scheduler_profile = self._create_profile(
            "scheduler",
            pulumi.Output.all(
                **_common(reach, "scheduler", reach.boot["scheduler"]),
                registered=reach.registered,
                zone=reach.zone,
            ).apply(
                lambda arns: [
                    *self._host(arns, [scheduler_group]),
                    *self._scheduler(arns, list(groups.values()), record),
                    *data,
                ]
            ),
        )
        boot = [arn for group, arn in reach.boot.items() if group != "scheduler"]
        self.worker_profile = self._create_profile(
            "worker",
            pulumi.Output.all(**_common(reach, "worker", *boot)).apply(
                lambda arns: [
                    *self._host(arns, list(groups.values())),
                    self._unhealthy(list(groups.values())),
                    *data,
                ]
            ),
        )
        self.register_outputs({})

    def _create_profile(
        self, role: str, statements: pulumi.Output[list[Statement]]
    ) -> pulumi.Output[str]:
        name = f"{self._prefix}-{role}"
        created = iam.Role(
            name,
            description=f"Hosts of the Dask {role} of {self._cluster}",
            assume_role_policy=document([trust("ec2.amazonaws.com")]),
            tags={"Name": name},
            opts=self._child,
        )
        policy = iam.RolePolicy(
            name, role=created.name, policy=statements.apply(document), opts=self._child
        )
        profile = iam.InstanceProfile(
            name,
            role=created.name,
            tags={"Name": name},
            # A machine must not start before its role may do anything.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, self._connect_policy]),
        )
        return profile.arn

    def _arn(self, service: str, resource: str) -> str:
        # Hosts only act within their own account; its number need not be known.
        return f"arn:{self._partition}:{service}:{self._region}:*:{resource}"

    def _groups(self, names: Sequence[str]) -> list[str]:
        return [
            self._arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")
            for name in names
        ]

    def _host(self, arns: Mapping[str, Any], groups: Sequence[str]) -> list[Statement]:
        """Return what every host does: boot, report, log, end, and let a person in by SSM."""
        return [
            allow(["s3:GetObject"], [arns["archive"]]),
            allow(["secretsmanager:GetSecretValue"], [arns["secret"]]),
            allow(["ssm:GetParameter", "ssm:PutParameter"], arns["boot"]),
            allow(
                ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                [f"{arns['log_group']}:*"],
            ),
            # Of any group of the cluster, also one that the stack file no longer has: its hosts
            # drain while it is deleted, and by then the role has been updated.
            allow(
                [
                    "autoscaling:CompleteLifecycleAction",
                    "autoscaling:RecordLifecycleActionHeartbeat",
                ],
                self._groups([f"dask-cluster-{self._cluster}-*"]),
                {"StringEquals": {f"aws:ResourceTag/{CLUSTER_TAG}": self._cluster}},
            ),
            allow(["autoscaling:SuspendProcesses"], self._groups(groups)),
            # Session Manager takes no resources (its guide, "Add Session Manager permissions to
            # an existing IAM role"); AmazonSSMManagedInstanceCore would allow every parameter.
            allow(
                [
                    "ssm:UpdateInstanceInformation",
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                ["*"],
            ),
        ]

    def _unhealthy(self, groups: Sequence[str]) -> Statement:
        """A worker whose boot failed asks to be replaced."""
        return allow(["autoscaling:SetInstanceHealth"], self._groups(groups))

    def _scheduler(
        self, arns: Mapping[str, Any], groups: Sequence[str], record: str
    ) -> list[Statement]:
        """Return what the scheduler does besides: its name, its reports and the fleet's size."""
        return [
            allow(
                ["route53:ChangeResourceRecordSets"],
                [arns["zone"]],
                {
                    "ForAllValues:StringEquals": {
                        "route53:ChangeResourceRecordSetsNormalizedRecordNames": [record],
                        "route53:ChangeResourceRecordSetsRecordTypes": ["A"],
                        "route53:ChangeResourceRecordSetsActions": ["UPSERT"],
                    }
                },
            ),
            allow(["ssm:PutParameter"], [arns["registered"]]),
            allow(
                ["cloudwatch:PutMetricData"],
                ["*"],
                {"StringEquals": {"cloudwatch:namespace": "DaskCluster"}},
            ),
            # This call takes no resource (Service Authorization Reference).
            allow(["autoscaling:DescribeAutoScalingGroups"], ["*"]),
            allow(
                [
                    "autoscaling:SetDesiredCapacity",
                    "autoscaling:TerminateInstanceInAutoScalingGroup",
                ],
                self._groups(groups),
            ),
        ]

    def _create_connect_policy(self, reach: Reach) -> iam.Policy:
        """Create what ``dask-cluster run`` and ``status`` need, for a group or role of people."""
        arns = {
            "secret": reach.secrets["client"],
            "log_group": reach.log_group,
            "parameters": pulumi.Output.all(reach.registered, *reach.boot.values()),
        }
        name = f"{self._prefix}-connect"
        return iam.Policy(
            name,
            description=f"May connect to the Dask cluster {self._cluster}",
            policy=pulumi.Output.all(**arns).apply(self._connect),
            tags={"Name": name},
            opts=self._child,
        )

    def _connect(self, arns: Mapping[str, Any]) -> str:
        forwarding = f"arn:{self._partition}:ssm:{self._region}::document/"
        # Without the check, a session for which no document is named is a shell ("Enforce a session
        # document permission check", Systems Manager User Guide).
        checked = {"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}}
        ours = {**checked, "StringEquals": {f"ssm:resourceTag/{CLUSTER_TAG}": self._cluster}}
        # A person can end the own sessions only; the name of a session begins with the person's.
        sessions = f"arn:{self._partition}:ssm:*:*:session/"
        own = [f"{sessions}${{aws:{who}}}-*" for who in ("username", "userid")]
        return document(
            [
                allow(["secretsmanager:GetSecretValue"], [arns["secret"]]),
                allow(["ssm:GetParameters"], arns["parameters"]),
                allow(["logs:FilterLogEvents"], [f"{arns['log_group']}:*"]),
                allow(["ssm:StartSession"], [self._arn("ec2", "instance/*")], ours),
                allow(
                    ["ssm:StartSession"],
                    [f"{forwarding}AWS-StartPortForwardingSession"],
                    checked,
                ),
                allow(["ssm:TerminateSession", "ssm:ResumeSession"], own),
                allow(
                    [
                        "autoscaling:DescribeAutoScalingGroups",
                        "autoscaling:DescribeScalingActivities",
                    ],
                    ["*"],
                ),
            ]
        )


def _common(reach: Reach, role: Role, *boot: pulumi.Input[str]) -> dict[str, Any]:
    return {
        "archive": reach.archive,
        "secret": reach.secrets[role],
        "log_group": reach.log_group,
        "boot": list(boot),
    }
