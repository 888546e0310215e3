"""A cluster's roles with the policies that the program writes, and what they speak of."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from sandbox.aws.server.starter import request
from tests.graph.facts.identities import of_role
from tests.graph.recorder import ROOT, Graph, build
from tests.graph.variations import BASE, STACK
from tests.sandbox.server.access_server import HEADER, KEYS
from tests.sandbox.server.account import REGION, Account, hook
from tests.sandbox.server.test_group_launch import TRUST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.server.account import Client, Value

VALUES = {
    **BASE,
    "region": REGION,
    "vpc": {"zones": [f"{REGION}a", f"{REGION}b"]},
    "readBuckets": ["public-data"],
    "writeBuckets": ["results/ours"],
}
ZONE = f"{STACK}.dask-cluster.internal"
RECORD = f"scheduler.{ZONE}"
PREFIX = f"/dask-cluster/{STACK}"
CLUSTER_TAG = "dask-cluster"


def serving() -> Iterator[str]:
    """Yield the endpoint of a server of its own process."""
    command = [sys.executable, "-m", "tests.sandbox.server.access_server"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


@dataclass
class Stage:
    """An account in which a cluster's parts are.

    Attributes:
        account: It, for whoever may do everything.
        graph: The program's resources.
        bucket: Of the archive.
        archive: The archive's key.
        zone: Id of the private zone.
        secrets: ARNs by role.
        hosts: An instance of each group, by the group's name.
    """

    account: Account
    graph: Graph
    bucket: str = ""
    archive: str = ""
    zone: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def build(cls, endpoint: str) -> Stage:
        stage = cls(Account(endpoint), build(VALUES, stack=STACK))
        stage._make_objects()
        stage._make_parts()
        stage._make_groups()
        for role in ("scheduler", "worker"):
            stage._make_role(role)
        return stage

    def keys(self, instance: str, role: str) -> dict[str, str]:
        row = {"instance": instance, "role": f"dask-{STACK}-{role}"}
        return dict(request(self.account.endpoint, "POST", KEYS, row))

    def client(
        self, role: str, service: str, *, instance: str = "", keys: Value = None, **config: Value
    ) -> Client:
        """Return a client of a host: of the group of its role, unless an instance is named."""
        instance = instance or self.hosts[f"dask-cluster-{STACK}-{role}"]
        client = boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.account.endpoint,
            config=Config(retries={"total_max_attempts": 1}, **config),
            **(self.keys(instance, role) if keys is None else keys),
        )

        def from_there(request: Any, **_: object) -> None:  # noqa: ANN401  # botocore's
            request.headers[HEADER] = instance

        client.meta.events.register("before-send.*", from_there)
        return client

    def who(self, role: str) -> str:
        instance = self.hosts[f"dask-cluster-{STACK}-{role}"]
        return f"arn:aws:sts::123456789012:assumed-role/dask-{STACK}-{role}/{instance}"

    def put_policy(self, role: str, text: str, name: str = "more") -> None:
        self.account.client("iam").put_role_policy(
            RoleName=f"dask-{STACK}-{role}", PolicyName=name, PolicyDocument=text
        )

    def drop_policy(self, role: str, name: str = "more") -> None:
        self.account.client("iam").delete_role_policy(
            RoleName=f"dask-{STACK}-{role}", PolicyName=name
        )

    def _make_objects(self) -> None:
        s3 = self.account.client("s3")
        archive = self.graph.one("s3/bucketObjectv2:BucketObjectv2")
        self.bucket, self.archive = archive.inputs["bucket"], archive.outputs["key"]
        for bucket, key in (
            (self.bucket, self.archive),
            (self.bucket, "other"),
            ("public-data", "a/b"),
            ("results", "ours/a b"),
            ("results", "theirs"),
            ("private", "x"),
        ):
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key=key, Body=b"bytes")
        policy = self.graph.one("s3/bucketPolicy:BucketPolicy").inputs["policy"]
        s3.put_bucket_policy(Bucket=self.bucket, Policy=policy)

    def _make_parts(self) -> None:
        ssm, secrets = self.account.client("ssm"), self.account.client("secretsmanager")
        for parameter in self.graph.of("ssm/parameter:Parameter"):
            ssm.put_parameter(Name=parameter.inputs["name"], Value="{}", Type="String")
        ssm.put_parameter(Name=f"{PREFIX}/other", Value="{}", Type="String")
        for secret in self.graph.of("secretsmanager/secret:Secret"):
            made = secrets.create_secret(Name=secret.name, SecretString="text")
            self.secrets[secret.name.rpartition("-")[2]] = made["ARN"]
        for name in (PREFIX, "/other"):
            self.account.client("logs").create_log_group(logGroupName=name)
        route53 = self.account.client("route53")
        made = route53.create_hosted_zone(Name=ZONE, CallerReference="once")
        self.zone = made["HostedZone"]["Id"].rpartition("/")[2]

    def _make_groups(self) -> None:
        waiting = [hook("boot", launching=True, heartbeat=7200)]
        for name, cluster, hooks in (
            (f"dask-cluster-{STACK}-scheduler", STACK, waiting),
            (f"dask-cluster-{STACK}-worker", STACK, []),
            # Of another cluster, whose name begins as ours.
            (f"dask-cluster-{STACK}-2-worker", f"{STACK}-2", waiting),
        ):
            group = self.account.group(
                1,
                name=name,
                LaunchTemplate={"LaunchTemplateId": self._template(name), "Version": "1"},
                LifecycleHookSpecificationList=hooks,
                Tags=[{"Key": CLUSTER_TAG, "Value": cluster, "PropagateAtLaunch": True}],
            )
            group.reach("Pending:Wait" if hooks else "InService")
            (self.hosts[name],) = group.ids()

    def _template(self, name: str) -> str:
        return self.account.template(name)

    def _make_role(self, role: str) -> None:
        name = f"dask-{STACK}-{role}"
        iam = self.account.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        text = of_role(self.graph, role).inputs["policy"]
        # What only AWS names is not as the recorder made it up.
        zone = self.graph.one("route53/zone:Zone").outputs["arn"]
        assert role == "worker" or zone in text
        text = text.replace(zone, f"arn:aws:route53:::hostedzone/{self.zone}")
        for secret in self.graph.of("secretsmanager/secret:Secret"):
            arn = self.secrets[secret.name.rpartition("-")[2]]
            text = text.replace(secret.outputs["arn"], arn)
        self.put_policy(role, text, name)
