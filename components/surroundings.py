"""What the machines of a cluster need around them, and no machine yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components import network
from components.alarms import Notices
from components.dns import SchedulerName
from components.firewall import Firewall
from components.logs import FlowLogs, Reports
from components.secrets import CertificateSecrets
from components.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pulumi

    from components.settings import VmSettings


class Surroundings:
    """Network, firewall, file systems, the scheduler's name, reports, notices and certificates.

    Attributes:
        network: Where machines are.
        firewall: Their security groups.
        storage: What they mount.
        dns: The scheduler's name.
        reports: Where they write what happens.
        notices: Who is told when something is wrong.
        secrets: Their certificates.
    """

    def __init__(
        self,
        prefix: str,
        *,
        cluster: str,
        settings: VmSettings,
        groups: Iterable[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Create all of it.

        Args:
            prefix: What the names of resources begin with.
            cluster: The cluster's name.
            settings: The stack's settings.
            groups: The scheduler's and the workers' groups.
            opts: Options of each part.
        """
        self.network = _create_network(prefix, cluster, settings, opts)
        self.firewall = Firewall(
            prefix,
            vpc_id=self.network.vpc_id,
            allowed_cidrs=settings.allowed_cidrs,
            efa=any(group.network == "efa" for group in settings.worker_groups.values()),
            opts=opts,
        )
        self.storage = Storage(
            prefix,
            network=self.network,
            workers=self.firewall.worker,
            region=settings.region,
            efs=settings.efs,
            lustre=settings.lustre,
            opts=opts,
        )
        self.dns = SchedulerName(prefix, cluster=cluster, network=self.network, opts=opts)
        self.reports = Reports(prefix, cluster=cluster, groups=groups, opts=opts)
        self.notices = Notices(
            prefix,
            cluster=cluster,
            emails=settings.alarm_emails,
            monthly_budget=settings.monthly_budget,
            opts=opts,
        )
        self.secrets = CertificateSecrets(prefix, cluster=cluster, opts=opts)


def _create_network(
    prefix: str, cluster: str, settings: VmSettings, opts: pulumi.ResourceOptions
) -> network.Network:
    if settings.vpc.id is not None:
        return network.existing(settings.vpc.id, settings.vpc.subnets)
    made = network.NewNetwork(
        prefix,
        vpc=settings.vpc,
        region=settings.region,
        nat_per_zone=settings.egress == "natPerZone",
        opts=opts,
    ).network
    if settings.flow_logs:
        FlowLogs(f"{prefix}-flow", cluster=cluster, network=made, opts=opts)
    return made
