"""The firewall of a cluster: two security groups, and every opening as a row with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pulumi
from pulumi_aws import ec2, vpc

from components.settings import ports

if TYPE_CHECKING:
    from collections.abc import Sequence

Member = Literal["scheduler", "worker", "efa"]


@dataclass(frozen=True)
class Opening:
    """One opening of the firewall, for TCP.

    Attributes:
        name: Part of its resource's name.
        to: Whose ports these are.
        ports: Both ends are included.
        source: A security group of the cluster.
        reason: Why it is open: the description of the rule on AWS.
    """

    name: str
    to: Member
    ports: range
    source: Member
    reason: str


_SCHEDULER = range(ports.SCHEDULER, ports.SCHEDULER + 1)
_DASHBOARD = range(ports.DASHBOARD, ports.DASHBOARD + 1)

OPENINGS = (
    Opening("scheduler", "scheduler", _SCHEDULER, "worker", "workers register and report"),
    Opening("data", "worker", ports.WORKERS, "worker", "workers fetch data from each other"),
    Opening("gather", "worker", ports.WORKERS, "scheduler", "the scheduler gathers results"),
    Opening("nanny", "worker", ports.NANNIES, "scheduler", "the scheduler restarts workers"),
)
"""Between the machines of a cluster. Clients come through SSM, or from `allowedCidrs`."""

FOR_CLIENTS = {
    "client": (_SCHEDULER, "clients from allowedCidrs, by TLS with a certificate"),
    "dashboard": (_DASHBOARD, "the dashboard by https from allowedCidrs"),
}


class Firewall(pulumi.ComponentResource):
    """A security group for the scheduler, one for workers, and what they let in and out.

    No source is the world. Everything may go out: tasks read data where they find it.

    Attributes:
        scheduler: Id of the scheduler's security group.
        worker: Id of the workers' security group.
        efa: Id of the one that workers with EFA have besides, or None.
        ready: The rules. A machine depends on them: it needs them from its boot to its drain.
    """

    scheduler: pulumi.Output[str]
    worker: pulumi.Output[str]
    efa: pulumi.Output[str] | None
    ready: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        vpc_id: pulumi.Input[str],
        allowed_cidrs: Sequence[str],
        efa: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the groups and their rules.

        Args:
            name: Prefix of its resources' names.
            vpc_id: The VPC they belong to.
            allowed_cidrs: From where clients may come directly.
            efa: Whether any workers use EFA.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:Firewall", name, None, opts)
        self._prefix = name
        self._vpc_id = vpc_id
        self.ready = []
        self._child = pulumi.ResourceOptions(parent=self)
        self._groups: dict[Member, ec2.SecurityGroup] = {
            "scheduler": self._create_group("scheduler", "The Dask scheduler"),
            "worker": self._create_group("worker", "Dask workers"),
        }
        for member in ("scheduler", "worker"):
            self._create_egress(member)
        for opening in OPENINGS:
            self._create_opening(opening)
        for cidr in allowed_cidrs:
            self._create_client_rules(cidr)
        self.scheduler = self._groups["scheduler"].id
        self.worker = self._groups["worker"].id
        self.efa = self._create_efa() if efa else None
        self.register_outputs({})

    def _create_group(self, member: Member, description: str) -> ec2.SecurityGroup:
        name = f"{self._prefix}-{member}"
        return ec2.SecurityGroup(
            name,
            vpc_id=self._vpc_id,
            description=description,
            # Rules are resources of their own.
            tags={"Name": name},
            opts=self._child,
        )

    def _create_opening(self, opening: Opening) -> None:
        rule = vpc.SecurityGroupIngressRule(
            f"{self._prefix}-{opening.name}",
            security_group_id=self._groups[opening.to].id,
            referenced_security_group_id=self._groups[opening.source].id,
            ip_protocol="tcp",
            from_port=opening.ports[0],
            to_port=opening.ports[-1],
            description=opening.reason,
            tags={"Name": f"{self._prefix}-{opening.name}"},
            opts=self._child,
        )
        self.ready.append(rule)

    def _create_client_rules(self, cidr: str) -> None:
        for part, (open_ports, reason) in FOR_CLIENTS.items():
            vpc.SecurityGroupIngressRule(
                f"{self._prefix}-{part}-{cidr}",
                security_group_id=self._groups["scheduler"].id,
                **{"cidr_ipv6" if ":" in cidr else "cidr_ipv4": cidr},
                ip_protocol="tcp",
                from_port=open_ports[0],
                to_port=open_ports[-1],
                description=reason,
                tags={"Name": f"{self._prefix}-{part}"},
                opts=self._child,
            )

    def _create_egress(self, member: Member) -> None:
        rule = vpc.SecurityGroupEgressRule(
            f"{self._prefix}-{member}-out",
            security_group_id=self._groups[member].id,
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="-1",
            description="to AWS, package registries and the data that tasks read",
            tags={"Name": f"{self._prefix}-{member}-out"},
            opts=self._child,
        )
        self.ready.append(rule)

    def _create_efa(self) -> pulumi.Output[str]:
        """Create the group whose members may exchange anything, in and out.

        EFA's traffic is no TCP, and a rule out to 0.0.0.0/0 does not cover it (EC2 User Guide,
        "Get started with EFA", step 1).
        """
        self._groups["efa"] = group = self._create_group("efa", "Elastic Fabric Adapters")
        rules: dict[str, type[vpc.SecurityGroupIngressRule | vpc.SecurityGroupEgressRule]] = {
            "in": vpc.SecurityGroupIngressRule,
            "out": vpc.SecurityGroupEgressRule,
        }
        for direction, rule in rules.items():
            created = rule(
                f"{self._prefix}-efa-{direction}",
                security_group_id=group.id,
                referenced_security_group_id=group.id,
                ip_protocol="-1",
                description="EFA between the workers of one fabric",
                tags={"Name": f"{self._prefix}-efa-{direction}"},
                opts=self._child,
            )
            self.ready.append(created)
        return group.id
