"""Shared file systems of the workers: EFS and FSx for Lustre, new ones or such as exist.

A new one is scratch: it is made with the stack and destroyed with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_aws import ec2, fsx, vpc
from pulumi_aws import efs as elastic

from components import boot
from components.settings.scalars import GIB

if TYPE_CHECKING:
    from components.network import Network
    from components.settings import Efs, Lustre

NFS_PORTS = (range(2049, 2050),)
# Clients with the file system, and its servers with each other ("File System Access Control with
# Amazon VPC", FSx for Lustre User Guide).
LUSTRE_PORTS = (range(988, 989), range(1018, 1024))


class Storage(pulumi.ComponentResource):
    """The file systems that the stack file names.

    Attributes:
        efs: What a worker's host mounts of EFS, or None.
        lustre: What it mounts of FSx for Lustre, or None.
        ready: Resources that must be there before a host mounts anything.
    """

    efs: pulumi.Output[boot.Efs] | None
    lustre: pulumi.Output[boot.Lustre] | None
    ready: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        network: Network,
        workers: pulumi.Input[str],
        region: str,
        efs: Efs | None,
        lustre: Lustre | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create what is new.

        Args:
            name: Prefix of its resources' names.
            network: Where.
            workers: The security group that may mount.
            region: Part of the DNS name of an existing Lustre file system.
            efs: The stack file's ``efs``.
            lustre: The stack file's ``lustre``.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:Storage", name, None, opts)
        self._prefix = name
        self._network = network
        self._workers = workers
        self._child = pulumi.ResourceOptions(parent=self)
        self.ready = []
        self._rules: list[pulumi.Resource] = []
        self.efs = self._efs(efs) if efs else None
        self.lustre = self._lustre(lustre, region) if lustre else None
        self.ready += self._rules
        self.register_outputs({})

    def _efs(self, chosen: Efs) -> pulumi.Output[boot.Efs]:
        found = self._create_efs() if chosen.id is None else pulumi.Output.from_input(chosen.id)
        new = chosen.id is None
        return found.apply(lambda found: boot.Efs(id=found, path=chosen.mount, new=new))

    def _create_efs(self) -> pulumi.Output[str]:
        name = f"{self._prefix}-scratch-efs"
        system = elastic.FileSystem(
            name,
            encrypted=True,
            # Paid by use, without a size to choose.
            throughput_mode="elastic",
            tags={"Name": name},
            opts=self._child,
        )
        group = self._create_group("scratch-efs", NFS_PORTS, within=False)
        for index, subnet in enumerate(self._network.subnet_ids):
            target = elastic.MountTarget(
                f"{name}-{index}",
                file_system_id=system.id,
                subnet_id=subnet,
                security_groups=[group.id],
                opts=self._child,
            )
            self.ready.append(target)
        return system.id

    def _lustre(self, chosen: Lustre, region: str) -> pulumi.Output[boot.Lustre]:
        if chosen.id is None:
            system = self._create_lustre(chosen)
            parts = {"dns_name": system.dns_name, "mount_name": system.mount_name}
        else:
            host = f"{chosen.id}.fsx.{region}.amazonaws.com"
            mount_name = pulumi.Output.from_input(str(chosen.mount_name))
            parts = {"dns_name": pulumi.Output.from_input(host), "mount_name": mount_name}
        new = chosen.id is None
        return pulumi.Output.all(**parts).apply(
            lambda parts: boot.Lustre(**parts, path=chosen.mount, new=new)
        )

    def _create_lustre(self, chosen: Lustre) -> fsx.LustreFileSystem:
        name = f"{self._prefix}-scratch-lustre"
        group = self._create_group("scratch-lustre", LUSTRE_PORTS, within=True)
        system = fsx.LustreFileSystem(
            name,
            deployment_type="SCRATCH_2",
            # Of its own accord FSx makes 2.10 for scratch; the client of Amazon Linux 2023 is 2.15.
            file_system_type_version="2.15",
            storage_capacity=(chosen.size or 0) // GIB,
            # It lies in one zone.
            subnet_ids=self._network.subnet_ids[0],
            security_group_ids=[group.id],
            tags={"Name": name},
            # FSx looks at the rules before it makes anything, and refuses a group without them.
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._rules),
        )
        self.ready.append(system)
        return system

    def _create_group(
        self, part: str, open_ports: tuple[range, ...], *, within: bool
    ) -> ec2.SecurityGroup:
        """Create a file system's security group: for the workers, and for its own servers."""
        name = f"{self._prefix}-{part}"
        group = ec2.SecurityGroup(
            name,
            vpc_id=self._network.vpc_id,
            description="Shared files of Dask workers",
            tags={"Name": name},
            opts=self._child,
        )
        members = {"workers": self._workers} | ({"servers": group.id} if within else {})
        for source, source_id in members.items():
            self._open(f"{name}-{source}", group.id, source_id, open_ports, "reach the file system")
        if within:
            # Lustre's servers call each other, and back.
            self._open(f"{name}-back", self._workers, group.id, open_ports, "Lustre calls back")
            for target, target_id in members.items():
                self._let_out(f"{name}-to-{target}", group.id, target_id, open_ports)
        return group

    def _open(
        self,
        name: str,
        group: pulumi.Input[str],
        source: pulumi.Input[str],
        open_ports: tuple[range, ...],
        reason: str,
    ) -> None:
        for span in open_ports:
            rule = vpc.SecurityGroupIngressRule(
                f"{name}-{span[0]}",
                security_group_id=group,
                referenced_security_group_id=source,
                ip_protocol="tcp",
                from_port=span[0],
                to_port=span[-1],
                description=reason,
                tags={"Name": f"{name}-{span[0]}"},
                opts=self._child,
            )
            self._rules.append(rule)

    def _let_out(
        self,
        name: str,
        group: pulumi.Input[str],
        target: pulumi.Input[str],
        open_ports: tuple[range, ...],
    ) -> None:
        rule = vpc.SecurityGroupEgressRule(
            name,
            security_group_id=group,
            referenced_security_group_id=target,
            ip_protocol="tcp",
            from_port=open_ports[0][0],
            to_port=open_ports[-1][-1],
            description="Lustre's servers call",
            tags={"Name": name},
            opts=self._child,
        )
        self._rules.append(rule)
