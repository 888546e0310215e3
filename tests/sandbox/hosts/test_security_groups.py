"""What the firewall sees of the security groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.aws.server.world import WORLD
from sandbox.hosts import security_groups
from sandbox.hosts.security_groups import Rule

if TYPE_CHECKING:
    from tests.sandbox.server.account import Account


def test_security_groups(account: Account) -> None:
    vpc = account.vpc()
    first, second = (account.security_group(vpc, name) for name in ("first", "second"))
    account.ec2.authorize_security_group_ingress(
        GroupId=first,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 8786,
                "ToPort": 8787,
                "UserIdGroupPairs": [{"GroupId": second}],
            },
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            {
                "IpProtocol": "icmp",
                "FromPort": -1,
                "ToPort": -1,
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
            },
        ],
    )
    with WORLD.clock.lock:
        found = {one.id: one for one in security_groups.every()}
    assert found[first].vpc == vpc
    assert set(found[first].ingress) == {
        Rule("tcp", 8786, 8787, group=second),
        Rule("-1", None, None, ranges=("10.0.0.0/8",)),
        Rule("icmp", None, None, ranges=("0.0.0.0/0",)),
    }
    assert found[second].ingress == ()
    # What every new group has.
    assert found[second].egress == (Rule("-1", None, None, ranges=("0.0.0.0/0",)),)
