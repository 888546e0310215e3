"""Spot instances above an on-demand floor, of several types, and pools that are dry."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.sandbox.server.account import Account, Group, refused, until

TYPES = ("m7i.large", "m6i.large", "m5.large")


def mixed(
    account: Account, count: int, *, base: int = 0, share: int = 0, zones: str = "a"
) -> Group:
    template = {"LaunchTemplateId": account.template(), "Version": "$Latest"}
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": template,
            "Overrides": [{"InstanceType": one} for one in TYPES],
        },
        "InstancesDistribution": {
            "OnDemandBaseCapacity": base,
            "OnDemandPercentageAboveBaseCapacity": share,
            "SpotAllocationStrategy": "price-capacity-optimized",
        },
    }
    return account.group(count, zones=zones, MixedInstancesPolicy=policy)


def markets(group: Group) -> Counter[str]:
    return Counter(one.get("InstanceLifecycle", "on-demand") for one in group.instances())


def types(group: Group, market: str) -> set[str]:
    return {
        one["InstanceType"]
        for one in group.instances()
        if one.get("InstanceLifecycle", "on-demand") == market
    }


def test_the_floor_is_on_demand_and_the_rest_spot(account: Account) -> None:
    group = mixed(account, 6, base=2).settle(6)
    assert markets(group) == {"on-demand": 2, "spot": 4}
    assert types(group, "on-demand") == {"m7i.large"}
    assert len(types(group, "spot")) > 1
    spot = [one for one in group.instances() if one.get("InstanceLifecycle") == "spot"]
    assert all(one["SpotInstanceRequestId"].startswith("sir-") for one in spot)


def test_a_share_above_the_floor_is_rounded_up(account: Account) -> None:
    group = mixed(account, 6, base=1, share=50).settle(6)
    assert markets(group) == {"on-demand": 4, "spot": 2}


def test_scaling_in_keeps_the_distribution(account: Account) -> None:
    group = mixed(account, 8, base=2).settle(8)
    group.call("set_desired_capacity", DesiredCapacity=4)
    assert markets(group.settle(4)) == {"on-demand": 2, "spot": 2}


def test_dry_pools_are_skipped(account: Account) -> None:
    account.dry(type="m7i.large", market="spot")
    account.dry(type="m6i.large", zone="us-east-1a")
    group = mixed(account, 4).settle(4)
    assert types(group, "spot") == {"m5.large"}
    assert all(one["StatusCode"] == "Successful" for one in group.activities())


def test_a_dry_zone_is_left_to_the_others(account: Account) -> None:
    account.dry(zone="us-east-1a")
    group = mixed(account, 4, zones="ab").settle(4)
    zones = {one["AvailabilityZone"] for one in group.describe()["Instances"]}
    assert zones == {"us-east-1b"}


def test_a_dry_market_fails_in_awss_words_and_the_floor_still_comes(account: Account) -> None:
    account.dry(market="spot")
    group = mixed(account, 3, base=1)
    group.settle(1)
    until(lambda: any(one["StatusCode"] == "Failed" for one in group.activities()))
    failed = [one for one in group.activities() if one["StatusCode"] == "Failed"]
    assert failed[0]["StatusMessage"] == (
        "Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity "
        "available that matches your request. Launching EC2 instance failed."
    )
    assert failed[0]["Progress"] == 100
    assert markets(group) == {"on-demand": 1}


def test_what_a_policy_may_not_say(account: Account) -> None:
    template = account.template(InstanceMarketOptions={"MarketType": "spot"})
    policy: dict[str, Any] = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "1"}
        }
    }
    words = refused("ValidationError", account.group, MixedInstancesPolicy=policy)
    assert "Incompatible launch template" in words
    policy["LaunchTemplate"]["Overrides"] = [{"InstanceType": "m7i.large", "WeightedCapacity": "2"}]
    words = refused("ValidationError", account.group, MixedInstancesPolicy=policy)
    assert "does not know WeightedCapacity" in words


def test_a_policy_is_shown_with_its_defaults(account: Account) -> None:
    shown = mixed(account, 0, base=1).describe()["MixedInstancesPolicy"]
    assert shown["InstancesDistribution"] == {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": 1,
        "OnDemandPercentageAboveBaseCapacity": 0,
        "SpotAllocationStrategy": "price-capacity-optimized",
    }
    assert shown["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateName"] == "hosts"


def test_zones_become_even_again(account: Account) -> None:
    account.dry(zone="us-east-1a")
    group = mixed(account, 4, zones="ab").settle(4)
    account.ask("DELETE", "dry")
    group.call("update_auto_scaling_group", DefaultCooldown=1)

    def zones() -> Counter[str]:
        return Counter(one["AvailabilityZone"] for one in group.describe()["Instances"])

    until(lambda: zones() == {"us-east-1a": 2, "us-east-1b": 2}, zones)
    group.settle(4)
