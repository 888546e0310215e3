"""What happens between resources, and when things are in the way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import grpc
import pytest

from engine.values import from_wire

if TYPE_CHECKING:
    from tests.sandbox.provider.cases.case import Value
    from tests.sandbox.provider.world import World
from tests.sandbox.provider.cloud import Cloud, details

ZONE = "aws:route53/zone:Zone"
RECORD = "aws:route53/record:Record"
ROLE = "aws:iam/role:Role"
TOPIC = "aws:sns/topic:Topic"
SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type
TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
    '"Principal": {"Service": "ec2.amazonaws.com"}}]}'
)


def test_a_replacement_is_made_first_unless_its_name_is_taken(world: World) -> None:
    def program(why: str) -> dict[str, Value]:
        inputs = {"vpc_id": "${vpc.id}", "description": why}
        return {
            "vpc": {"kind": "ec2.Vpc", "inputs": {"cidr_block": "10.0.0.0/16"}},
            "chosen": {"kind": "ec2.SecurityGroup", "inputs": inputs},
            "given": {"kind": "ec2.SecurityGroup", "inputs": {**inputs, "name": "given"}},
        }

    world.write(program("one"))
    world.good("up")
    before = world.states()
    world.write(program("two"))
    run = world.good("up")
    after = world.states()
    for name in ("chosen", "given"):
        assert after[name].id != before[name].id
        assert after[name].outputs["description"] == "two"
    assert after["chosen"].outputs["name"] != before["chosen"].outputs["name"]
    order = {name: [e.op for e in events] for name, events in run.events.items()}
    assert order["chosen"] == ["create-replacement", "replace", "delete-replaced"]
    assert order["given"] == ["delete-replaced", "replace", "create-replacement"]


def test_the_providers_tags_change_everything_in_place(world: World) -> None:
    world.write(
        {
            "role": {"kind": "iam.Role", "inputs": {"assume_role_policy": TRUST}},
            "topic": {"kind": "sns.Topic", "inputs": {"tags": {"dask-cluster": "mine"}}},
        }
    )
    world.good("up")
    assert world.states()["topic"].outputs["tagsAll"] == {"dask-cluster": "mine"}
    assert world.states()["role"].outputs["tags"] == {}
    world.tags = {"team": "b"}
    resources = {
        "role": {"kind": "iam.Role", "inputs": {"assume_role_policy": TRUST}},
        "topic": {"kind": "sns.Topic", "inputs": {"tags": {"team": "b"}}},
    }
    world.write(resources)
    assert world.good("up").changed() == {"role": {"update"}, "topic": {"update"}}
    states = world.states()
    assert states["role"].outputs["tagsAll"] == {"team": "b"}
    assert states["topic"].outputs["tags"] == {"team": "b"}
    assert world.good("up").changed() == {}
    # What somebody deletes is missed by a refresh and made again.
    world.client("sns").delete_topic(TopicArn=states["topic"].id)
    assert world.good("refresh").found["topic"] == "delete"
    assert world.good("up").changed() == {"topic": {"create"}}


def test_a_record_that_exists_is_not_overwritten(cloud: Cloud) -> None:
    zone = cloud.create(ZONE, name="x.internal", forceDestroy=True)
    inputs = {"zoneId": zone.id, "name": "a", "type": "A", "ttl": 5, "records": ["10.0.0.1"]}
    record = cloud.create(RECORD, **inputs)
    assert record.outputs["fqdn"] == "a.x.internal"
    assert record.id == f"{zone.id}_a.x.internal_A"
    with pytest.raises(grpc.RpcError, match="exists already") as caught:
        cloud.create(RECORD, **inputs)
    assert details(caught.value) is None
    other = cloud.create(RECORD, **{**inputs, "records": ["10.0.0.2"]}, allowOverwrite=True)
    # The boot of a host changes it; deleting takes it as it is by then.
    assert from_wire(cloud.plugin.read(record).properties)["records"] == ["10.0.0.2"]
    cloud.delete(other)
    cloud.delete(record)


def test_a_zone_with_records_goes_only_by_force(cloud: Cloud) -> None:
    zone = cloud.create(ZONE, name="y.internal")
    record = {
        "zoneId": zone.id,
        "name": "a.y.internal",
        "type": "A",
        "ttl": 5,
        "records": ["1.2.3.4"],
    }
    cloud.create(RECORD, **record)
    with pytest.raises(grpc.RpcError, match="DeleteHostedZone: HostedZoneNotEmpty"):
        cloud.plugin.delete(zone)
    cloud.made.pop()
    cloud.update(zone, name="y.internal", forceDestroy=True)
    assert zone.outputs["forceDestroy"] is True


def test_a_bucket_with_objects_goes_only_by_force(cloud: Cloud, account: World) -> None:
    bucket = cloud.create("aws:s3/bucket:Bucket")
    client = account.client("s3")
    client.put_bucket_versioning(Bucket=bucket.id, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        client.put_object(Bucket=bucket.id, Key="x", Body=body)
    client.delete_object(Bucket=bucket.id, Key="x")
    with pytest.raises(grpc.RpcError, match="DeleteBucket: BucketNotEmpty"):
        cloud.plugin.delete(bucket)
    cloud.update(bucket, bucket=bucket.id, forceDestroy=True)


def test_a_secret_waits_out_its_window(cloud: Cloud, account: World) -> None:
    secret = cloud.create(SECRET, recoveryWindowInDays=7)
    cloud.delete(secret)
    client = account.client("secretsmanager")
    assert client.describe_secret(SecretId=secret.id)["DeletedDate"]
    assert cloud.plugin.read(secret).id == ""
    client.delete_secret(SecretId=secret.id, ForceDeleteWithoutRecovery=True)


def test_a_prefix_gets_an_ending(cloud: Cloud) -> None:
    role = cloud.create(ROLE, namePrefix="hosts-", assumeRolePolicy=TRUST)
    assert role.id.startswith("hosts-")
    assert len(role.id) == len("hosts-") + 26
    assert role.outputs["namePrefix"] == "hosts-"
    assert not cloud.plugin.diff(role, role.inputs).diffs


def test_an_endpoint_moves_to_other_route_tables() -> None:
    from sandbox.aws.provider.rows import endpoints  # noqa: PLC0415
    from sandbox.aws.provider.table import Job  # noqa: PLC0415

    made: list[Value] = []
    fake: Value = SimpleNamespace(
        region="us-east-1", call=lambda *args, **params: made.append((*args, params))
    )
    job = Job(
        fake,
        endpoints.ROWS["aws:ec2/vpcEndpoint:VpcEndpoint"],
        "s3",
        "vpce-1",
        {"routeTableIds": ["rtb-2", "rtb-3"], "policy": None},
        {"routeTableIds": ["rtb-1", "rtb-2"], "policy": "{}"},
        frozenset({"routeTableIds", "policy"}),
    )
    for step in job.row.update:
        step(job)
    assert made == [
        (
            "ec2",
            "modify_vpc_endpoint",
            "us-east-1",
            {
                "VpcEndpointId": "vpce-1",
                "AddRouteTableIds": ["rtb-3"],
                "RemoveRouteTableIds": ["rtb-1"],
                "ResetPolicy": True,
            },
        )
    ]
