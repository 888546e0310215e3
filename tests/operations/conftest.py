from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sandbox.aws import server
from tests.node.certificates import write_certificates
from tests.operations.kubernetes import Kubernetes
from tests.operations.project import Project, copy_checkout
from tests.operations.session_manager import SessionManager
from tests.operations.sweeping import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The endpoint of an AWS on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="session")
def _account(moto: str) -> Account:
    return Account(moto)


@pytest.fixture
def account(_account: Account) -> Account:
    """An account with nothing in it."""
    url = f"{_account.endpoint}/moto-api/reset"
    urllib.request.urlopen(urllib.request.Request(url, method="POST")).close()  # noqa: S310
    return _account


class Account:
    """An account of the AWS on this machine, to put a cluster into."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._session = boto3.Session(
            aws_access_key_id="someone",
            aws_secret_access_key="something",  # noqa: S106
            region_name="us-east-2",
        )
        self._clients: dict[str, Any] = {}

    def client(self, service_name: str, /) -> Any:  # noqa: ANN401
        if service_name not in self._clients:  # each takes its time
            made = self._session.client(service_name, endpoint_url=self.endpoint)
            self._clients[service_name] = made
        return self._clients[service_name]

    def create_group(self, name: str, number: int, **more: Any) -> list[str]:  # noqa: ANN401
        """Create an Auto Scaling group; return its instances."""
        ec2, scaling = self.client("ec2"), self.client("autoscaling")
        template = ec2.create_launch_template(
            LaunchTemplateName=name,
            LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m7i.large"},
        )
        wanted: dict[str, Any] = {
            "AutoScalingGroupName": name,
            "MinSize": 0,
            "MaxSize": number,
            "DesiredCapacity": number,
            "VPCZoneIdentifier": ec2.describe_subnets()["Subnets"][0]["SubnetId"],
            "LaunchTemplate": {
                "LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"],
                "Version": "1",
            },
            "Tags": [{"Key": "dask-cluster:workers", "Value": str(number)}],
        }
        scaling.create_auto_scaling_group(**{**wanted, **more})
        return self.instances(name)

    def instances(self, name: str) -> list[str]:
        found = self.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[name]
        )
        return sorted(i["InstanceId"] for i in found["AutoScalingGroups"][0]["Instances"])

    def write(self, path: str, **value: Any) -> None:  # noqa: ANN401
        """Write a parameter of cluster dev, as one of its machines does."""
        self.client("ssm").put_parameter(
            Name=f"/dask-cluster/dev/{path}", Value=json.dumps(value), Type="String", Overwrite=True
        )

    def create_cluster(self, workers: int = 4, **registered: Any) -> str:  # noqa: ANN401
        """Create cluster dev with all that it needs; return the scheduler's instance."""
        (scheduler,) = self.create_group("dask-cluster-dev-scheduler", 1)
        self.create_group("dask-cluster-dev-worker", workers)
        for group in ("scheduler", "worker"):
            self.write(f"{group}/boot")
        told = {
            "scheduler": scheduler,
            "environment": "0123456789abcdef",
            "started": "2026-11-21T18:00:00+00:00",
            "workers": {"worker": workers},
        }
        self.write("registered", **{**told, **registered})
        return scheduler

    def create_secret(self, certificates: Path) -> None:
        parts = {"authority": "ca.pem", "certificate": "client.pem", "key": "client.key"}
        text = {part: (certificates / name).read_text() for part, name in parts.items()}
        self.client("secretsmanager").create_secret(
            Name="dask-dev-client", SecretString=json.dumps(text)
        )


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that no edit of the checkout reaches while the tests run."""
    return copy_checkout(tmp_path_factory.mktemp("copy") / "checkout")


@pytest.fixture
def project(tmp_path: Path, checkout: Path, moto: str) -> Project:
    return Project.prepare(tmp_path, checkout, moto)


@pytest.fixture
def kubernetes(project: Project) -> Iterator[Kubernetes]:
    """A Kubernetes with cluster dev in it, which is the project's stack."""
    made = Kubernetes()
    made.put_cluster()
    with made.serve(project):
        yield made


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def sessions() -> Iterator[SessionManager]:
    with SessionManager() as serving:
        yield serving


@pytest.fixture(scope="session")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("aws")
    yield Cloud(server.start(folder).endpoint)
    server.stop(folder)


@pytest.fixture
def cloud(_cloud: Cloud) -> Cloud:
    """An account of the sandbox's AWS, with nothing in it."""
    _cloud.ask("POST", "reset")
    assert _cloud.contents() == []
    return _cloud
