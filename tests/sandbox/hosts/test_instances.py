"""What hosts see of the instances that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.aws.server.world import WORLD
from sandbox.hosts import instances
from tests.sandbox.hosts.instances import ROLE, USER_DATA, hosts, network, profile, seen
from tests.sandbox.server.account import hook, until

if TYPE_CHECKING:
    from tests.sandbox.server.account import Account


def test_an_instance_of_a_group_is_seen_whole(account: Account) -> None:
    arn = profile(account)
    vpc, subnet = network(account)
    firewall = account.security_group(vpc)
    group = hosts(
        account, subnet=subnet, hops=2, groups=(firewall,), IamInstanceProfile={"Arn": arn}
    )
    key = group.ids()[0]
    shown = group.instances()[0]
    found = seen(key)
    assert (found.region, found.account) == ("us-east-1", "123456789012")
    assert (found.vpc, found.subnet, found.vpc_range) == (vpc, subnet, "10.0.0.0/16")
    assert (found.address, found.hostname) == (shown["PrivateIpAddress"], shown["PrivateDnsName"])
    assert (found.zone, found.type, found.image) == (
        "us-east-1a",
        "m7i.large",
        shown["ImageId"],
    )
    assert (found.group, found.tags["dask-cluster:lifetime"]) == ("workers", "3600")
    assert found.tags["dask-cluster"] == "dev"
    assert found.user_data == USER_DATA.encode()
    assert (found.role, found.profile_arn) == (ROLE, arn)
    assert found.security_groups == (firewall,)
    assert (found.hop_limit, found.tokens_required, found.tags_in_metadata) == (2, True, True)
    assert found.mac == shown["NetworkInterfaces"][0]["MacAddress"]
    with WORLD.clock.lock:
        assert instances.by_address(found.address) == found
        assert instances.by_address(found.address, vpc) == found
        assert instances.by_address(found.address, "vpc-other") is None
        assert instances.by_address("10.0.15.254") is None
        assert instances.running() == [found]


def test_what_its_group_wants_of_an_instance(account: Account) -> None:
    group = hosts(account)
    key = group.ids()[0]
    account.scaling.put_lifecycle_hook(
        AutoScalingGroupName="workers",
        LifecycleHookName="drain",
        LifecycleTransition=hook("drain", launching=False)["LifecycleTransition"],
        HeartbeatTimeout=300,
    )
    assert instances.target_state(key) == "InService"
    group.call("set_desired_capacity", DesiredCapacity=0)
    until(lambda: instances.target_state(key) == "Terminated")
    assert seen(key).id == key
    group.call(
        "complete_lifecycle_action",
        LifecycleHookName="drain",
        InstanceId=key,
        LifecycleActionResult="CONTINUE",
    )
    until(lambda: instances.by_id(key) is None)
    assert instances.target_state("i-0") is None
