"""The instance metadata service."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sandbox.aws.server.access import keys
from sandbox.hosts.metadata import VERSIONS, Metadata, Reply
from sandbox.hosts.metadata_items import ITEMS
from sandbox.hosts.notices import Notices
from tests.sandbox.hosts.instances import ROLE, USER_DATA, hosts, network, profile, seen
from tests.sandbox.server.account import until

if TYPE_CHECKING:
    from tests.sandbox.server.account import Account

TTL = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "x-aws-ec2-metadata-token"  # noqa: S105  (the name of a header)
AT = datetime(2026, 11, 21, 8, 22, tzinfo=UTC)


@dataclass
class Asked:
    """A service, asked by one instance."""

    address: str
    notices: Notices = field(default_factory=Notices)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.service = Metadata(keys.issue, self.notices, clock=lambda: self.now)

    def put(self, path: str = "/latest/api/token", **headers: str) -> Reply:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.service.answer("PUT", path, given, self.address)

    def token(self, seconds: int = 60) -> str:
        reply = self.service.answer("PUT", "/latest/api/token", {TTL: str(seconds)}, self.address)
        assert reply.status == 200
        return reply.body.decode()

    def get(self, path: str, token: str | None = "", method: str = "GET") -> Reply:
        headers = {} if token is None else {TOKEN: token or self.token()}
        return self.service.answer(method, path, headers, self.address)

    def text(self, path: str) -> str:
        reply = self.get(f"/latest/{path}")
        assert reply.status == 200, (path, reply)
        return reply.body.decode()

    def lines(self, path: str) -> list[str]:
        return self.text(path).splitlines()


@pytest.fixture
def asked(account: Account) -> Asked:
    arn = profile(account)
    vpc, subnet = network(account)
    groups = tuple(account.security_group(vpc, name) for name in ("first", "second"))
    group = hosts(account, subnet=subnet, groups=groups, IamInstanceProfile={"Arn": arn})
    return Asked(group.instances()[0]["PrivateIpAddress"])


def test_tokens(asked: Asked) -> None:
    for wrong in ("", "0", "21601", "x", "-1", "1.5", "²"):
        reply = asked.service.answer("PUT", "/latest/api/token", {TTL: wrong}, asked.address)
        assert reply.status == 400, wrong
    assert asked.put().status == 400
    through_a_proxy = {TTL: "60", "x-forwarded-for": "10.0.0.9"}
    reply = asked.service.answer("PUT", "/latest/api/token", through_a_proxy, asked.address)
    assert reply.status == 403
    good = asked.service.answer("PUT", "/latest/api/token", {TTL: "21600"}, asked.address)
    assert (good.status, good.hops, good.headers) == (200, 1, ((TTL, "21600"),))
    assert asked.put("/latest/meta-data/instance-id").status == 405
    assert asked.get("/latest/meta-data/instance-id", method="POST").status == 405
    assert asked.get("/latest/api/token").status == 404


def test_nothing_without_a_token_that_holds(asked: Asked) -> None:
    path = "/latest/meta-data/instance-id"
    assert asked.get(path, None).status == 401
    assert asked.get("/latest/user-data", None).status == 401
    assert asked.get("/", None).status == 401
    for wrong in ("x", "ä", "AQAE" * 14, asked.token()[:-8] + "AAAAAAA="):
        assert asked.get(path, wrong).status == 401, wrong
    token = asked.token(30)
    assert asked.get(path, token).status == 200
    asked.now += 29
    assert asked.get(path, token).status == 200
    asked.now += 1
    assert asked.get(path, token).status == 401


def test_a_token_is_of_one_instance(account: Account) -> None:
    group = hosts(account, 2)
    first, second = (one["PrivateIpAddress"] for one in group.instances())
    asked = Asked(first)
    token = asked.token()
    assert asked.get("/latest/meta-data/local-ipv4", token).body.decode() == first
    asked.address = second
    assert asked.get("/latest/meta-data/local-ipv4", token).status == 401
    assert asked.text("meta-data/local-ipv4") == second


def test_tokens_are_optional_where_the_instance_says_so(account: Account) -> None:
    group = hosts(account, tokens="optional", hops=3)
    asked = Asked(group.instances()[0]["PrivateIpAddress"])
    path = "/latest/meta-data/instance-id"
    assert asked.get(path, None).body.decode() == group.ids()[0]
    assert asked.get(path, "wrong").status == 401
    assert asked.put(**{TTL: "60"}).hops == 3


def test_an_address_without_an_instance(account: Account) -> None:
    group = hosts(account)
    asked = Asked("10.0.15.254")
    assert asked.put(**{TTL: "60"}).status == 404
    assert asked.get("/latest/meta-data/instance-id", None).status == 404
    asked.address = group.instances()[0]["PrivateIpAddress"]
    assert asked.put(**{TTL: "60"}).status == 200
    account.ec2.terminate_instances(InstanceIds=group.ids())
    until(lambda: asked.put(**{TTL: "60"}).status == 404)


def test_items(asked: Asked) -> None:
    key = asked.text("meta-data/instance-id")
    instance = seen(key)
    name = f"ip-{instance.address.replace('.', '-')}.ec2.internal"
    mac = f"meta-data/network/interfaces/macs/{instance.mac}"
    for path, value in {
        "ami-id": instance.image,
        "hostname": name,
        "local-hostname": name,
        "local-ipv4": instance.address,
        "instance-type": "m7i.large",
        "mac": instance.mac,
        "placement/availability-zone": "us-east-1a",
        # As botocore asks for it.
        "placement/availability-zone/": "us-east-1a",
        "placement/region": "us-east-1",
        "instance-life-cycle": "on-demand",
        "autoscaling/target-lifecycle-state": "InService",
        "tags/instance/dask-cluster:lifetime": "3600",
        "tags/instance/dask-cluster%3Alifetime": "3600",
        "tags/instance/dask-cluster": "dev",
        "tags/instance/aws:autoscaling:groupName": "workers",
    }.items():
        assert asked.text(f"meta-data/{path}") == value, path
    assert set(asked.lines("meta-data/security-groups")) == {"first", "second"}
    assert asked.text(f"{mac}/vpc-id") == instance.vpc
    assert asked.text(f"{mac}/security-group-ids").splitlines() == list(instance.security_groups)
    identity = json.loads(asked.text("dynamic/instance-identity/document"))
    assert (identity["instanceId"], identity["region"]) == (key, "us-east-1")
    assert (identity["privateIp"], identity["accountId"]) == (instance.address, "123456789012")
    reply = asked.get("/latest/user-data")
    assert (reply.body, reply.kind) == (USER_DATA.encode(), "application/octet-stream")


def test_what_is_not_there(asked: Asked) -> None:
    for path in (
        "meta-data/no-such",
        "meta-data/instance-id/more",
        "meta-data/public-keys",
        "meta-data/tags/instance/no-such",
        # EC2 shows no tag with such a name.
        "meta-data/tags/instance/with/slash",
        "meta-data/iam/security-credentials/other",
        "meta-data/spot/instance-action",
        "meta-data/spot",
        "meta-data/events/recommendations/rebalance",
        "no-such",
    ):
        assert asked.get(f"/latest/{path}").status == 404, path
    assert asked.get("/2000-01-01/meta-data/instance-id").status == 404


def test_folders_list_what_is_in_them(asked: Asked) -> None:
    assert asked.get("/").body.decode().splitlines() == list(VERSIONS)
    assert asked.lines("") == ["dynamic", "meta-data", "user-data"]
    top = asked.lines("meta-data/")
    assert asked.lines("meta-data") == top
    assert {"instance-id", "iam/", "network/", "placement/", "tags/"} <= set(top)
    assert "spot/" not in top
    assert asked.lines("meta-data/iam/") == ["info", "security-credentials/"]
    assert asked.lines("meta-data/iam/security-credentials/") == [ROLE]
    assert "dask-cluster:lifetime" in asked.lines("meta-data/tags/instance/")
    assert "with/slash" not in asked.text("meta-data/tags/instance/")
    assert asked.lines("dynamic/") == ["instance-identity/"]
    for path in ("dynamic/instance-identity", "dynamic/instance-identity/"):
        assert asked.lines(path) == ["document"]


def test_a_crawl_finds_every_item(asked: Asked) -> None:
    """As cloud-init does, with a version of its own."""
    found = []

    def crawl(folder: str) -> None:
        for name in asked.get(f"/2021-03-23/{folder}").body.decode().splitlines():
            if name.endswith("/"):
                crawl(folder + name)
            else:
                reply = asked.get(f"/2021-03-23/{folder}{name}")
                assert (reply.status, bool(reply.body)) == (200, True), folder + name
                found.append(folder + name)

    crawl("meta-data/")
    wanted = [one for one in ITEMS if one.startswith("meta-data/")]
    sometimes = [one for one in wanted if "/spot/" in one or "/recommendations/" in one]
    tags = [one for one in found if "/tags/" in one]
    assert len(found) == len(wanted) - len(sometimes) + len(tags)
    assert len(tags) == 5


def test_tags_only_where_they_are_enabled(account: Account) -> None:
    template = account.template(MetadataOptions={"HttpTokens": "required"})
    group = account.group(1, LaunchTemplate={"LaunchTemplateId": template, "Version": "1"})
    asked = Asked(group.settle(1).instances()[0]["PrivateIpAddress"])
    assert asked.get("/latest/meta-data/tags/instance/").status == 404
    assert asked.get("/latest/user-data").status == 404
    # Without a profile there is no role.
    assert asked.get("/latest/meta-data/iam/info").status == 404
    assert asked.get("/latest/meta-data/iam/security-credentials/").status == 404
    assert "iam/" not in asked.lines("meta-data/")
    assert "tags/" not in asked.lines("meta-data/")


def test_metadata_can_be_disabled(account: Account) -> None:
    template = account.template(MetadataOptions={"HttpEndpoint": "disabled"})
    group = account.group(1, LaunchTemplate={"LaunchTemplateId": template, "Version": "1"})
    asked = Asked(group.settle(1).instances()[0]["PrivateIpAddress"])
    assert asked.put(**{TTL: "60"}).status == 403


def test_credentials(asked: Asked) -> None:
    key = asked.text("meta-data/instance-id")
    path = f"meta-data/iam/security-credentials/{ROLE}"
    given = json.loads(asked.text(path))
    assert (given["Code"], given["Type"]) == ("Success", "AWS-HMAC")
    held = keys.holder(given["AccessKeyId"], given["Token"])
    assert held is not None
    assert (held.instance, held.role) == (key, ROLE)
    ends = datetime.strptime(given["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert ends > datetime.now(UTC) + timedelta(minutes=20)
    assert json.loads(asked.text(path))["AccessKeyId"] == given["AccessKeyId"]
    keys.forget(key)
    assert json.loads(asked.text(path))["AccessKeyId"] != given["AccessKeyId"]
    info = json.loads(asked.text("meta-data/iam/info"))
    assert info["InstanceProfileArn"].endswith(":instance-profile/dev-profile")


def test_notices(asked: Asked) -> None:
    key = asked.text("meta-data/instance-id")
    asked.notices.spot(key, AT)
    asked.notices.rebalance(key, AT - timedelta(minutes=1))
    action = json.loads(asked.text("meta-data/spot/instance-action"))
    assert action == {"action": "terminate", "time": "2026-11-21T08:22:00Z"}
    assert asked.text("meta-data/spot/termination-time") == "2026-11-21T08:22:00Z"
    recommended = json.loads(asked.text("meta-data/events/recommendations/rebalance"))
    assert recommended == {"noticeTime": "2026-11-21T08:21:00Z"}
    assert "spot/" in asked.lines("meta-data/")
    asked.notices.forget(key)
    assert asked.get("/latest/meta-data/spot/instance-action").status == 404
    assert asked.get("/latest/meta-data/events/recommendations/rebalance").status == 404
