"""The scheduler's name: it stays when its machine does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_aws import route53

if TYPE_CHECKING:
    from components.network import Network

# A client or worker asks again this soon after the scheduler has moved.
TTL_SECONDS = 10


class SchedulerName(pulumi.ComponentResource):
    """A private zone with one record, which the scheduler's machine sets when it boots.

    Attributes:
        zone_id: The zone.
        zone_arn: The same for policies.
        record: The name, such as ``scheduler.prod.dask-cluster.internal``.
        ready: What a machine that sets the record depends on.
    """

    zone_id: pulumi.Output[str]
    zone_arn: pulumi.Output[str]
    record: str
    ready: pulumi.Resource

    def __init__(
        self,
        name: str,
        *,
        cluster: str,
        network: Network,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create zone and record.

        Args:
            name: Prefix of its resources' names.
            cluster: The cluster's name, part of the zone's.
            network: The zone is known in its VPC only.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:SchedulerName", name, None, opts)
        domain = f"{cluster}.dask-cluster.internal"
        self.record = f"scheduler.{domain}"
        zone = route53.Zone(
            name,
            name=domain,
            comment="Where the Dask scheduler is",
            vpcs=[route53.ZoneVpcArgs(vpc_id=network.vpc_id)],
            force_destroy=True,
            tags={"Name": domain},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.ready = route53.Record(
            name,
            zone_id=zone.zone_id,
            name=self.record,
            type="A",
            ttl=TTL_SECONDS,
            # Until the scheduler's first boot; from then on it is the machine's.
            records=["127.0.0.1"],
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["records"]),
        )
        self.zone_id = zone.zone_id
        self.zone_arn = zone.arn
        self.register_outputs({})
