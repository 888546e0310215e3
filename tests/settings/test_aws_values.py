"""Single values about AWS: what is read, what is refused, and that editors are told the same."""

from typing import Any

import pytest

from components.settings import SettingsError, VmSettings, document, load
from components.settings.keys import key_of
from tests.settings.test_schema import matches

LEAST: dict[str, Any] = {
    "platform": "vm",
    "workers": 4,
    "region": "us-east-2",
    "vpc": {"zones": ["us-east-2a"]},
    "instanceTypes": ["m7i.large"],
}
YES = True
SCHEMA = document.schema()

RIGHT: list[tuple[str, Any, Any]] = [
    ("region", " us-gov-west-1 ", "us-gov-west-1"),
    ("region", "eusc-de-east-1", "eusc-de-east-1"),
    ("spot", "true", True),
    ("spot", False, False),
    ("egress", "natPerZone", "natPerZone"),
    ("allowedCidrs", None, ()),
    ("allowedCidrs", ["10.0.0.0/8", "2001:db8::/32"], ("10.0.0.0/8", "2001:db8::/32")),
    ("allowedCidrs", [" 203.0.113.7 "], ("203.0.113.7/32",)),
    ("allowedCidrs", '["2001:DB8::1"]', ("2001:db8::1/128",)),
    ("images", {"x86_64": "ami-01234567"}, {"x86_64": "ami-01234567"}),
    ("images", "", {}),
    ("readBuckets", ["a.b-c3"], ("a.b-c3",)),
    ("readBuckets", ["abc/", "abc/x/y=1/"], ("abc", "abc/x/y=1")),
    ("tags", {"Owner-of": "a+b=c@d/e:f_g.h-i é"}, {"Owner-of": "a+b=c@d/e:f_g.h-i é"}),
    ("tags", {"n": 7}, {"n": "7"}),
    ("tags", {"k" * 128: "v" * 256}, {"k" * 128: "v" * 256}),
    ("tags", {"empty": ""}, {"empty": ""}),
    ("tags", {f"t{n}": "" for n in range(9)}, {f"t{n}": "" for n in range(9)}),
    ("alarmEmails", ["a.b+c@x-y.example.org"], ("a.b+c@x-y.example.org",)),
    ("monthlyBudget", "null", None),
    ("rootVolume", "16 GiB", 16 * 2**30),
    ("rootVolume", 16384 * 2**30, 16384 * 2**30),
    ("rootVolume", "16 TiB", 16384 * 2**30),
    ("threadsPerCore", "1", 1),
    ("threadsPerCore", None, None),
    ("capacityReservation", "", None),
    ("network", "standard", "standard"),
    ("startTimeout", "3 h", 10800.0),
    ("schedulerInstanceType", "t4g.small", "t4g.small"),
    ("onDemandFloor", 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "kept"), RIGHT)
def test_a_right_value(key: str, value: Any, kept: Any) -> None:  # noqa: ANN401
    beside = {"vpc": {"zones": [f"{value.strip()}a"]}} if key == "region" else {}
    written = LEAST | beside | {key: value}
    found = load({f"dask-cluster:{k}": v for k, v in written.items()})
    name = next(each for each in VmSettings.model_fields if key_of(each) == key)
    assert getattr(found, name) == kept
    assert matches(SCHEMA, {"config": written}, SCHEMA)


Case = tuple[str, Any, bool]


def refused(key: str, *values: Any) -> list[Case]:  # noqa: ANN401
    """What we refuse and an editor marks."""
    return [(key, each, False) for each in values]


def told(key: str, *values: Any) -> list[Case]:  # noqa: ANN401
    """What we refuse and the schema cannot say."""
    return [(key, each, True) for each in values]


WRONG = [
    *refused("region", "", "us-east", "US-EAST-1", "us-east-1a", "us_east_1", 1, None),
    *refused(
        "vpc",
        [],
        "vpc-01234567",
        {"zones": "us-east-2a"},
        {"zones": ["a"]},
        {"zones": ["us-east-2"]},
        {"zones": ["us-east-2-bos-1a"]},
        {"zones": [7]},
        {"zones": ["us-east-2a", "us-east-2a"]},
        {"zones": ["us-east-2a"], "cidr": "ten"},
        {"zones": ["us-east-2a"], "cidr": ""},
        {"zones": ["us-east-2a"], "cidr": 10},
        {"zones": ["us-east-2a"], "cidr": None},
        {"id": "vpc-", "subnets": ["subnet-01234567"]},
        {"id": "vpc-0123456G", "subnets": ["subnet-01234567"]},
        {"id": "vpc-012345678", "subnets": ["subnet-01234567"]},
        {"id": "VPC-01234567", "subnets": ["subnet-01234567"]},
        {"id": 7, "subnets": ["subnet-01234567"]},
        {"id": "vpc-01234567", "subnets": ["vpc-01234567"]},
        {"id": "vpc-01234567", "subnets": "subnet-01234567"},
        {"id": "vpc-01234567", "subnets": ["subnet-01234567", "subnet-01234567"]},
    ),
    *told(
        "vpc",
        {"zones": ["us-east-2a"], "cidr": "10.0.0.0"},
        {"zones": ["us-east-2a"], "cidr": "10.0.0.0/15"},
        {"zones": ["us-east-2a"], "cidr": "10.0.0.0/25"},
        {"zones": ["us-east-2a"], "cidr": "10.1.0.0/8"},
        {"zones": ["us-east-2a"], "cidr": "172.32.0.0/16"},
        {"zones": ["us-east-2a"], "cidr": "8.8.0.0/16"},
        {"zones": ["us-east-2a"], "cidr": "10.0.0.1/16"},
        {"zones": ["us-east-2a"], "cidr": "::/16"},
        {"zones": ["us-east-2a"], "cidr": "fd00::/20"},
        {"zones": ["us-east-2a"], "cidr": "192.168.0.0/15"},
    ),
    *refused("egress", "none", "NAT", "", None, YES),
    *refused("spot", "yes", "on", 1, 0, "", None, "True"),
    *refused("flowLogs", "yes", "on", 1, 0, "", None, "True"),
    *refused("allOrNothing", "yes", "on", 1, 0, "", None, "True"),
    *told(
        "allowedCidrs",
        ["0.0.0.0/0"],
        ["::/0"],
        ["0.0.0.0/1"],
        ["128.0.0.0/1"],
        ["10.0.0.0/7"],
        ["2001::/31"],
        ["10.0.0.1/24"],
        ["10.0.0.0/33"],
        ["300.0.0.0/8"],
        ["203.0.113.7", "203.0.113.7/32"],
    ),
    *refused("allowedCidrs", "0.0.0.0/0", ["home"], [7], [None], ["10.0.0.0/8", "10.0.0.0/8"]),
    *refused("schedulerInstanceType", "m7i", "M7I.large", "", None, "m7i.large ; x"),
    *told(
        "schedulerInstanceType",
        "m7i.huge",
        "t2.micro",
        "mac2.metal",
        "g5.xlarge",
        "p5.48xlarge",
        "trn1.2xlarge",
        "g6f.large",
        "vt1.3xlarge",
    ),
    *refused(
        "instanceTypes",
        [],
        "",
        None,
        "m7i.large",
        ["m7i.large", "m7i.large"],
        [f"m{n}.large" for n in range(41)],
    ),
    *refused("architecture", "arm", "x86", "amd64", "", None),
    *refused(
        "images", "ami-01234567", {"arm": "ami-01234567"}, {"x86_64": "ami-1"}, {"x86_64": None}, []
    ),
    *refused(
        "readBuckets",
        ["ab"],
        ["a" * 64],
        ["Abc"],
        ["a_b"],
        ["-abc"],
        ["abc-"],
        ["s3://abc"],
        ["arn:aws:s3:::abc"],
        ["abc/*"],
        ["abc/a?b"],
        ["abc//x"],
        ["abc/${x}"],
        ["abc/ x"],
        [7],
    ),
    *told(
        "writeBuckets",
        ["192.168.0.1"],
        ["a..b"],
        ["xn--abc"],
        ["abc-s3alias"],
        ["sthree-abc"],
        ["abc--ol-s3"],
        ["abc--x-s3"],
    ),
    *told("readBuckets", ["abc", "abc/"]),
    *refused(
        "efs",
        "/efs",
        [],
        {"id": "efs-01234567"},
        {"mount": "efs"},
        {"mount": "/"},
        {"mount": "/a/../b"},
        {"mount": "/a//b"},
        {"mount": "/a b"},
        {"mount": "/efs/"},
        {"size": 1},
    ),
    *told(
        "efs",
        {"mount": "/etc"},
        {"mount": "/etc/x"},
        {"mount": "/usr/local"},
        {"mount": "/var"},
        {"mount": "/tmp/x"},  # noqa: S108 - refused
        {"mount": "/run/x"},
        {"mount": "/opt/dask-cluster"},
        {"mount": "/home"},
        {"mount": "/root"},
    ),
    *refused(
        "lustre",
        {"size": 1200},
        {"size": "big"},
        {"size": "-1 GiB"},
        {"id": "fs-01234567", "mountName": "a/b"},
        {"id": "fs-01234567", "mountName": "123456789"},
        {"id": "fs-01234567", "mountName": 7},
        {"id": "fs-01234567", "mount_name": "abc"},
    ),
    *told(
        "lustre",
        {"size": "1200"},
        {"size": "1201 GiB"},
        {"size": "1.2 TB"},
        {"size": "3600 GiB"},
        {"size": "2401 GiB"},
        {"size": "1 TiB"},
        {"size": "600 GiB"},
        {"size": "0 GiB"},
    ),
    *refused(
        "tags",
        [],
        "a",
        {"aws:x": "y"},
        {"AWS:x": "y"},
        {"dask-cluster": "y"},
        {"dask-cluster:a": "y"},
        {"a": "v" * 257},
        {"a": None},
        {"a": True},
        {"a": 1.5},
        {"a": "<"},
    ),
    *told(
        "tags",
        {"": "y"},
        {"k" * 129: "y"},
        {"a<": "y"},
        {"a": "#"},
        {"Dask-Cluster": "y"},
        {"a": "x", "A": "y"},
        {f"t{n}": "" for n in range(41)},
    ),
    *refused("monthlyBudget", 0, -5, "many", 2.5, 10_000_001, YES),
    *refused(
        "alarmEmails",
        "a@example.org",
        ["a"],
        ["a@b"],
        ["@b.org"],
        ["a b@c.org"],
        ["a@b.org", "a@b.org"],
        [f"a{n}@b.org" for n in range(11)],
    ),
    *refused("rootVolume", "fifty", 15 * 2**30, None, YES),
    *told("rootVolume", "15 GiB", "16385 GiB", "50 GB", "20.5 GiB"),
    *refused("threadsPerCore", 0, 3, "two", YES),
    *refused("network", "ena", "EFA", "", None),
    *refused("capacityReservation", "cr-1", "cr", 7, ["cr-01234567"]),
    *refused("onDemandFloor", -1, "none", None, 1.5),
    *refused("startTimeout", 9, "soon", None, 10801),
]


@pytest.mark.parametrize(("key", "value", "only_we"), WRONG)
def test_a_wrong_value(key: str, value: Any, only_we: bool) -> None:  # noqa: ANN401, FBT001
    written = LEAST | {key: value}
    with pytest.raises(SettingsError) as caught:
        load({f"dask-cluster:{k}": v for k, v in written.items()})
    at = {each.key.partition(".")[0].partition("[")[0] for each in caught.value.problems}
    assert at == {key}
    assert {each.rule for each in caught.value.problems} == {""}
    assert matches(SCHEMA, {"config": written}, SCHEMA) == only_we
