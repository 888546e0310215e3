"""What the resolver sees of Route 53."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.hosts import zones
from sandbox.hosts.zones import Record
from tests.sandbox.hosts.instances import network, zone_of

if TYPE_CHECKING:
    from tests.sandbox.server.account import Account


def test_zones_need_dns_in_their_vpc(account: Account) -> None:
    vpc, _ = network(account)
    zone_of(account, vpc, {"Scheduler.dev.dask-cluster.internal": "10.0.0.9"})
    zone = zones.private(vpc)[0]
    assert (zone.name, zone.vpcs) == ("dev.dask-cluster.internal", frozenset({vpc}))
    name = "scheduler.dev.dask-cluster.internal"
    assert Record(name, "A", 10, ("10.0.0.9",)) in zone.records
    assert zones.private("vpc-other") == []
    account.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    assert zones.private(vpc) == []
