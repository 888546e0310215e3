"""The three services, as hosts reach them over a network."""

from __future__ import annotations

import http.client
import socket
import struct
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from dask_node.aws import imds
from sandbox.aws.server import access
from sandbox.aws.server.access import keys
from sandbox.hosts import gateway, instances
from sandbox.hosts.aws_api import HostsApplication
from sandbox.hosts.dns_messages import REFUSED
from sandbox.hosts.errors import HostsError
from sandbox.hosts.gateway import Gateway, Ports
from sandbox.hosts.metadata import Metadata
from sandbox.hosts.notices import Notices
from tests.sandbox.hosts.dns_client import query, read
from tests.sandbox.hosts.instances import ROLE, hosts, profile, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.aws.server.app import Application
    from sandbox.aws.server.calls import Environ
    from tests.sandbox.server.account import Account

FREE = Ports(0, 0, 0)
MAY = {
    "Effect": "Allow",
    "Action": "ssm:GetParameter",
    "Resource": "arn:aws:ssm:us-east-1:*:parameter/dask-cluster/dev/*",
}


class Host:
    """A host that this process plays: all that comes from loopback is taken for it."""

    def __init__(self, one: Gateway, instance: instances.Instance) -> None:
        self.gateway = one
        self._clients: list[Any] = []
        self.instance = instance
        self.imds = f"http://127.0.0.1:{one.ports.metadata}"
        self.aws = f"http://127.0.0.1:{one.ports.api}"

    def client(self, service: str) -> Any:  # noqa: ANN401
        """Return a client with the standard chain of credentials."""
        # A session of its own, which reads the variables anew.
        made = boto3.session.Session(botocore_session=botocore.session.Session()).client(
            service,
            endpoint_url=self.aws,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self._clients.append(made)
        return made

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture
def host(
    account: Account,
    application: Application,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Host]:
    arn = profile(account, MAY)
    group = hosts(account, IamInstanceProfile={"Arn": arn})
    instance = instances.by_id(group.ids()[0])
    assert instance is not None
    monkeypatch.setattr(instances, "by_address", loopback_is(instance.id))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with running(application) as one:
        made = Host(one, instance)
        monkeypatch.setenv(imds.ENDPOINT_VARIABLE, made.imds)
        yield made
        made.close()


def loopback_is(key: str) -> Callable[..., instances.Instance | None]:
    """Let each request of this process be one of an instance."""
    original = instances.by_address

    def by_address(address: str, vpc: str = "") -> instances.Instance | None:
        return instances.by_id(key) if address == "127.0.0.1" else original(address, vpc)

    return by_address


@contextmanager
def running(application: Application) -> Iterator[Gateway]:
    metadata = Metadata(keys.issue, Notices())
    made = Gateway("", "127.0.0.1", application, metadata=metadata, ports=FREE)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_a_host_calls_aws_as_its_role(host: Host, account: Account) -> None:
    for name in ("dev", "prod"):
        account.client("ssm").put_parameter(
            Name=f"/dask-cluster/{name}/registered", Value="{}", Type="String"
        )
    ssm = host.client("ssm")
    found = ssm.get_parameter(Name="/dask-cluster/dev/registered")
    assert found["Parameter"]["Value"] == "{}"
    with pytest.raises(ClientError) as caught:
        ssm.get_parameter(Name="/dask-cluster/prod/registered")
    message = str(caught.value)
    assert "AccessDenied" in message
    assert f"assumed-role/{ROLE}/{host.instance.id} is not authorized to perform" in message


def test_keys_of_others_are_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    other = keys.issue("i-0123456789abcdef0", ROLE)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", other.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", other.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", other.token)
    for service, operation, code in (
        ("ssm", "describe_parameters", "UnrecognizedClientException"),
        ("autoscaling", "describe_auto_scaling_groups", "InvalidClientTokenId"),
    ):
        with pytest.raises(ClientError) as caught:
            getattr(host.client(service), operation)()
        assert caught.value.response["Error"]["Code"] == code


def test_hosts_do_not_reach_the_sandbox(host: Host) -> None:
    for path in ("/_sandbox/health", "/_sandbox/reset", "/moto-api/", "/moto-api/data.json"):
        for method in ("GET", "POST"):
            assert ask(host.aws, method, path)[0] == 403
    # Nor AWS without keys.
    assert ask(host.aws, "POST", "/")[0] in {400, 403}


def test_what_is_not_an_instance_is_refused(account: Account, application: Application) -> None:
    hosts(account)
    with running(application) as one:
        for port, status in ((one.ports.api, 403), (one.ports.metadata, 404)):
            assert ask(f"http://127.0.0.1:{port}", "GET", "/latest/meta-data/")[0] == status
        assert read(by_udp(one, query("example.org"))).code == REFUSED


def test_headers_of_the_sandbox_are_taken_away(host: Host) -> None:
    seen: list[Environ] = []

    def inner(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        seen.append(environ)
        start_response("200 OK", [])
        return []

    application = HostsApplication(inner)
    application(
        environ(HTTP_X_SANDBOX_GUEST="1", HTTP_X_MOTO_ACCOUNT_ID="1", HTTP_HOST="169.254.169.252"),
        lambda *_: None,
    )
    assert not {"HTTP_X_SANDBOX_GUEST", "HTTP_X_MOTO_ACCOUNT_ID"} & seen[0].keys()
    assert seen[0]["HTTP_HOST"] == "127.0.0.1"
    assert seen[0][access.HOST] == host.instance.id


@pytest.mark.parametrize(
    ("service", "minutes", "code"),
    [
        ("ssm", -6, "InvalidSignatureException"),
        ("ssm", 6, "InvalidSignatureException"),
        ("autoscaling", -6, "SignatureDoesNotMatch"),
        ("s3", -16, "RequestTimeTooSkewed"),
        ("s3", -14, ""),
        ("ssm", -4, ""),
    ],
)
@pytest.mark.usefixtures("host")
def test_a_host_with_a_wrong_clock(service: str, minutes: int, code: str) -> None:
    now = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    types = {
        "ssm": "application/x-amz-json-1.1",
        "autoscaling": "application/x-www-form-urlencoded",
    }
    said: list[str] = []

    def inner(_: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return []

    answer = HostsApplication(inner, now=lambda: now)(
        environ(
            HTTP_X_AMZ_DATE=f"{now + timedelta(minutes=minutes):%Y%m%dT%H%M%SZ}",
            HTTP_AUTHORIZATION="AWS4-HMAC-SHA256 Credential=ASIA/20261121/us-east-1/"
            f"{service}/aws4_request, SignedHeaders=host, Signature=0",
            CONTENT_TYPE=types.get(service, ""),
        ),
        lambda status, _: said.append(status),
    )
    assert code in b"".join(answer).decode()
    assert said[0].startswith("4" if code else "200")


def environ(**more: str) -> Environ:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": None,
        "CONTENT_LENGTH": "0",
        **more,
    }


def test_clients_of_the_metadata(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    # The hosts' own.
    ours = imds.Metadata()
    assert ours.read("instance-id") == host.instance.id
    assert ours.read("spot/instance-action") is None
    # botocore's: its credentials know when they end, and its region comes from the zone.
    session = botocore.session.Session()
    credentials = session.get_credentials()
    assert credentials.method == "iam-role"
    first = credentials.get_frozen_credentials().access_key
    held = keys.holder(first, credentials.token)
    assert held is not None
    assert (held.instance, held.role) == (host.instance.id, ROLE)
    keys.forget(host.instance.id)
    monkeypatch.setattr(credentials, "_expiry_time", datetime.now(UTC) + timedelta(seconds=5))
    assert credentials.get_frozen_credentials().access_key != first


def test_the_answer_with_a_token_takes_few_hops(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    hops: list[int] = []
    end_headers = gateway._MetadataHandler.end_headers

    def look(handler: gateway._MetadataHandler) -> None:
        hops.append(handler.connection.getsockopt(socket.IPPROTO_IP, socket.IP_TTL))
        end_headers(handler)

    monkeypatch.setattr(gateway._MetadataHandler, "end_headers", look)
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    status, token = ask(host.imds, "PUT", "/latest/api/token", ttl)
    assert status == 200
    path = "/latest/meta-data/instance-id"
    answer = ask(host.imds, "GET", path, {"X-aws-ec2-metadata-token": token})
    assert answer == (200, host.instance.id)
    assert hops == [1, 64]


def by_udp(one: Gateway, message: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(message, ("127.0.0.1", one.ports.dns))
        return sock.recv(65_535)


def test_dns_by_udp_and_tcp(host: Host, account: Account) -> None:
    name = "scheduler.dev.dask-cluster.internal"
    zone_of(account, host.instance.vpc, {name: "10.0.0.9"})
    wanted = [(name, 1, 10, bytes([10, 0, 0, 9]))]
    assert read(by_udp(host.gateway, query(name))).rows == wanted
    with socket.create_connection(("127.0.0.1", host.gateway.ports.dns), timeout=5) as sock:
        # Two in one connection, the first one in pieces.
        message = struct.pack(">H", len(query(name))) + query(name)
        sock.sendall(message[:5])
        sock.sendall(message[5:] + message)
        with sock.makefile("rb") as stream:
            for _ in range(2):
                (length,) = struct.unpack(">H", stream.read(2))
                assert read(stream.read(length)).rows == wanted


def test_a_gateway_that_cannot_listen_says_where(application: Application) -> None:
    metadata = Metadata(keys.issue, Notices())
    with running(application) as first:
        second = Gateway("", "127.0.0.1", application, metadata=metadata, ports=first.ports)
        with pytest.raises(HostsError, match=r"127\.0\.0\.1"):
            second.start()
    # And what it had taken is free again.
    second.start()
    second.stop()
    second.stop()


def ask(url: str, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)) as connection:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
