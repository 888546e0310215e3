"""Nobody gets in: ports, certificates, and what a host may do on AWS."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.firewall import OPENINGS
from sandbox.hosts.names import API, AWS_PORT, DNS_PORT, IMDS_PORT, Names
from tests.hosts import certified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hosts.certified import Callers
    from tests.hosts.hosted import Hosted

pytestmark = pytest.mark.timeout(600)

HERE = Path(__file__).parent
SCAN = (HERE / "scan.py").read_text()
KNOCK = (HERE / "knock.py").read_text()
PYTHON = "/opt/dask-cluster/current/bin/python"
# Where people and careless programs listen.
ODD = (22, 8888, 9999)
LISTEN = """
import socket, sys
listeners = [socket.create_server(("", port)) for port in %r]
print("ready", flush=True)
sys.stdin.read()
"""
# What AWS says to whom it lets do less.
DENIED = "is not authorized to perform: {} on resource: {}"


@pytest.fixture(scope="module")
def dev(hosted: Callable[[str], Hosted]) -> Hosted:
    stack = hosted("dev")
    stack.take_committed()
    stack.up()
    # It waits for the first worker alone.
    stack.until(lambda: len(stack.hosts("worker", state="up")) == 2, "both have booted")
    return stack


@pytest.fixture(scope="module")
def scheduler(dev: Hosted) -> dict[str, Any]:
    (found,) = dev.hosts("scheduler")
    return found


@pytest.fixture(scope="module")
def workers(dev: Hosted) -> list[dict[str, Any]]:
    found = dev.hosts("worker")
    assert len(found) == 2
    return found


@pytest.fixture(scope="module")
def stranger(dev: Hosted, scheduler: dict[str, Any]) -> Iterator[str]:
    """Return a container in the cluster's network that is no instance, with Python."""
    about = dev.docker.inspect(scheduler["instance"])
    assert about is not None
    (network,) = about["NetworkSettings"]["Networks"]
    names = Names.of(dev.folder / "aws")
    name = f"stranger-{names.key}"
    options = ["--network", network, "--label", names.label]
    dev.docker.run(name, about["Image"], options, ["sleep", "3600"])
    yield name
    dev.docker.remove(name)


@pytest.fixture(scope="module")
def listening(
    dev: Hosted, scheduler: dict[str, Any], workers: list[dict[str, Any]]
) -> Iterator[None]:
    """Let hosts listen where nobody may come in, as a person's own service would."""
    with contextlib.ExitStack() as running:
        for row in (scheduler, *workers):
            command = ("exec", "--interactive", row["instance"], PYTHON, "-c", LISTEN % (ODD,))
            # It ends with its standard input.
            process = subprocess.Popen(
                dev.docker.argv(*command), stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            one = running.enter_context(process)
            assert one.stdout is not None
            assert one.stdout.readline() == b"ready\n"
        yield


def table(source: str, to: str) -> set[int]:
    """Return what the table lets one role reach of another."""
    return {
        port
        for opening in OPENINGS
        if (opening.source, opening.to) == (source, to)
        for port in opening.ports
    }


@pytest.mark.usefixtures("listening")
def test_every_port_but_those_of_the_table_is_closed(
    dev: Hosted, scheduler: dict[str, Any], workers: list[dict[str, Any]], stranger: str
) -> None:
    one, other = workers
    places = {"scheduler": scheduler, "worker": one, "other worker": other}

    def scan(way: tuple[str, str]) -> set[int]:
        source, to = way
        words = ("-c", SCAN, places[to]["address"])
        if source == "this machine":
            command = [sys.executable, *words]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        else:
            name = stranger if source == "stranger" else places[source]["instance"]
            said = dev.inside(name, "python3", *words)
        return set(json.loads(said))

    wanted = {
        ("worker", "scheduler"): table("worker", "scheduler"),
        ("scheduler", "worker"): table("scheduler", "worker"),
        ("other worker", "worker"): table("worker", "worker"),
        **{(s, to): set() for s in ("stranger", "this machine") for to in ("scheduler", "worker")},
    }
    with ThreadPoolExecutor(len(wanted)) as threads:
        found = dict(zip(wanted, threads.map(scan, wanted), strict=True))
    assert found == wanted
    # The table is what it is meant to be.
    assert {way: len(ports) for way, ports in wanted.items() if ports} == {
        ("worker", "scheduler"): 1,
        ("scheduler", "worker"): 200,
        ("other worker", "worker"): 100,
    }


@pytest.mark.usefixtures("listening")
def test_the_odd_ports_are_open_within(dev: Hosted, scheduler: dict[str, Any]) -> None:
    """Else the scan would have proved nothing."""
    connect = f"import socket\nfor p in {ODD}: socket.create_connection(('127.0.0.1', p), 1)"
    dev.inside(scheduler["instance"], "python3", "-c", connect)


@pytest.fixture(scope="module")
def callers(dev: Hosted) -> Callers:
    return certified.callers(dev.name, dev.stack.export(show_secrets=True))


def knock(dev: Hosted, row: dict[str, Any], asked: dict[str, Any]) -> Any:  # noqa: ANN401
    return json.loads(dev.inside(row["instance"], PYTHON, "-c", KNOCK, json.dumps(asked)))


def test_only_the_clusters_own_certificates_come_in(
    dev: Hosted,
    scheduler: dict[str, Any],
    workers: list[dict[str, Any]],
    callers: Callers,
) -> None:
    one, other = workers
    targets = [[scheduler["address"], 8786], [other["address"], 9000]]
    asked = {"targets": targets, "callers": callers, "compute": True}
    met, computed = knock(dev, one, asked)
    assert met == dict.fromkeys(("8786", "9000"), certified.MET)
    assert computed == certified.COMPUTED


def test_a_nanny_lets_in_nobody_else(
    dev: Hosted,
    scheduler: dict[str, Any],
    workers: list[dict[str, Any]],
    callers: Callers,
) -> None:
    asked = {"targets": [[workers[0]["address"], 9100]], "callers": callers, "compute": False}
    met, _ = knock(dev, scheduler, asked)
    assert met == {"9100": certified.MET}


IMDS = "http://169.254.169.254/latest"


def imds(dev: Hosted, row: dict[str, Any], path: str, token: str | None) -> tuple[int, str]:
    """Ask a host's metadata service; return the code of HTTP and the text."""
    header = [] if token is None else ["-H", f"X-aws-ec2-metadata-token: {token}"]
    words = ["curl", "-sS", "-m", "10", "-w", r"\n%{http_code}", *header, f"{IMDS}/{path}"]
    text, _, code = dev.inside(row["instance"], *words).rpartition("\n")
    return int(code), text


def token(dev: Hosted, row: dict[str, Any]) -> str:
    header = "X-aws-ec2-metadata-token-ttl-seconds: 300"
    return dev.inside(
        row["instance"], "curl", "-sSfX", "PUT", "-H", header, f"{IMDS}/api/token"
    ).strip()


def test_the_metadata_of_a_host_is_its_own(
    dev: Hosted, scheduler: dict[str, Any], workers: list[dict[str, Any]]
) -> None:
    one, other = workers
    for path in ("meta-data/instance-id", "user-data", "meta-data/iam/security-credentials/"):
        assert imds(dev, one, path, None)[0] == 401
    own = token(dev, one)
    assert imds(dev, one, "meta-data/instance-id", own) == (200, one["instance"])
    # Another host's token opens nothing, and there is no other way to what another one is told.
    assert imds(dev, other, "meta-data/instance-id", own)[0] == 401
    gateway = dev.docker.inspect(one["instance"])
    assert gateway is not None
    (network,) = gateway["NetworkSettings"]["Networks"].values()
    for address, ports in (
        (network["Gateway"], (80, IMDS_PORT, DNS_PORT, AWS_PORT)),
        (scheduler["address"], (80, 53)),
    ):
        for port in ports:
            tried = dev.docker.exec(
                one["instance"], "curl", "-sS", "-m", "2", f"http://{address}:{port}/"
            )
            # No answer within that time, or none at all.
            assert tried.returncode == 28, (address, port, tried)
    # Nor can a host take another one's address.
    taken = dev.docker.exec(
        one["instance"], "ip", "address", "add", f"{scheduler['address']}/32", "dev", "lo"
    )
    assert "Operation not permitted" in taken.stderr


# Calls of AWS with the role of a host. Of each the code of its error, and what was said.
CALLS = """
import boto3, json, sys
from botocore.exceptions import ClientError
said = []
for service, operation, parameters in json.loads(sys.argv[1]):
    try:
        found = getattr(boto3.client(service), operation)(**parameters)
        said.append(("", json.dumps(found, default=str)))
    except ClientError as error:
        said.append((error.response["Error"]["Code"], error.response["Error"]["Message"]))
print(json.dumps(said))
"""


def aws(
    dev: Hosted,
    row: dict[str, Any],
    *calls: tuple[str, str, dict[str, Any]],
    given: dict[str, str] | None = None,
) -> list[list[str]]:
    """Make calls in a host."""
    place = {"AWS_DEFAULT_REGION": dev.settings["region"], "AWS_ENDPOINT_URL": f"http://{API}"}
    command = (PYTHON, "-c", CALLS, json.dumps(calls))
    done = dev.docker.exec(row["instance"], *command, environment={**place, **(given or {})})
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def secret(dev: Hosted, role: str) -> str:
    arns = [each["ARN"] for each in dev.client("secretsmanager").list_secrets()["SecretList"]]
    (found,) = [arn for arn in arns if f"dask-dev-{role}-" in arn]
    return str(found)


def test_a_role_reads_its_own_secret_only(
    dev: Hosted, scheduler: dict[str, Any], workers: list[dict[str, Any]]
) -> None:
    arns = {role: secret(dev, role) for role in ("scheduler", "worker", "client")}
    calls = [("secretsmanager", "get_secret_value", {"SecretId": arn}) for arn in arns.values()]
    for own, row in (("scheduler", scheduler), ("worker", workers[0])):
        for (role, arn), (code, said) in zip(arns.items(), aws(dev, row, *calls), strict=True):
            if role == own:
                assert (code, "PRIVATE KEY" in said) == ("", True)
            else:
                assert code == "AccessDeniedException"
                assert DENIED.format("secretsmanager:GetSecretValue", arn) in said


def test_only_the_scheduler_sets_its_name_and_nothing_else(
    dev: Hosted, scheduler: dict[str, Any], workers: list[dict[str, Any]]
) -> None:
    (zone,) = dev.client("route53").list_hosted_zones()["HostedZones"]
    name = "scheduler.dev.dask-cluster.internal"

    def change(action: str, name: str) -> tuple[str, str, dict[str, Any]]:
        value = {"Value": scheduler["address"]}
        record = {"Name": name, "Type": "A", "TTL": 10, "ResourceRecords": [value]}
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        parameters = {"HostedZoneId": zone["Id"], "ChangeBatch": batch}
        return "route53", "change_resource_record_sets", parameters

    denied = [
        *aws(dev, workers[0], change("UPSERT", name), change("DELETE", name)),
        *aws(dev, scheduler, change("DELETE", name), change("UPSERT", f"other.{name}")),
    ]
    for code, said in denied:
        assert code == "AccessDenied"
        arn = f"arn:aws:route53:::{zone['Id'].strip('/')}"
        assert DENIED.format("route53:ChangeResourceRecordSets", arn) in said
    assert aws(dev, scheduler, change("UPSERT", name))[0][0] == ""


def test_a_worker_does_not_decide_on_the_fleet(dev: Hosted, workers: list[dict[str, Any]]) -> None:
    group = {"AutoScalingGroupName": dev.group("worker")["AutoScalingGroupName"]}
    one, other = workers
    end = {"InstanceId": other["instance"], "ShouldDecrementDesiredCapacity": True}
    calls = {
        "SetDesiredCapacity": ("set_desired_capacity", {**group, "DesiredCapacity": 0}),
        "TerminateInstanceInAutoScalingGroup": ("terminate_instance_in_auto_scaling_group", end),
        "DescribeAutoScalingGroups": ("describe_auto_scaling_groups", {}),
    }
    met = aws(dev, one, *(("autoscaling", name, given) for name, given in calls.values()))
    for action, (code, said) in zip(calls, met, strict=True):
        assert code == "AccessDenied"
        assert f"is not authorized to perform: autoscaling:{action}" in said
    assert dev.group("worker")["DesiredCapacity"] == 2
    assert len(dev.hosts("worker")) == 2


def test_the_credentials_of_a_host_are_of_no_use_elsewhere(
    dev: Hosted, scheduler: dict[str, Any], workers: list[dict[str, Any]]
) -> None:
    """Of this sandbox: on AWS they are, until they expire."""
    path = "meta-data/iam/security-credentials/"
    own = token(dev, scheduler)
    _, role = imds(dev, scheduler, path, own)
    found = json.loads(imds(dev, scheduler, path + role, own)[1])
    given = {
        "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
        "AWS_SESSION_TOKEN": found["Token"],
    }
    call: tuple[str, str, dict[str, Any]] = ("autoscaling", "describe_auto_scaling_groups", {})
    assert aws(dev, scheduler, call, given=given)[0][0] == ""
    assert aws(dev, workers[0], call, given=given)[0][0] == "InvalidClientTokenId"
