"""The calls of a host."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.aws.guests.host import Host

# By this header the server leaves the calls of guests out of its counts and its faults.
HEADER: Final = "X-Sandbox-Guest"
BOOT_HOOK: Final = "boot"
DRAIN_HOOK: Final = "drain"
# So many failed boots in a row stop a group's launches.
MOST_FAILURES: Final = 3


class Calls:
    """Makes the calls of hosts in one region of the server."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._session = boto3.Session("guest", "guest", region_name=region)
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}
        self._found: set[str] = set()

    def fetch(self, host: Host) -> None:
        """Look whether what a host fetches is there: its archive and its certificate.

        Raises:
            ClientError: It is not: the host was started too early.
        """
        archive, secret = host.settings.get("ARCHIVE", ""), host.settings.get("SECRET", "")
        if archive and archive not in self._found:
            bucket, _, key = archive.removeprefix("s3://").partition("/")
            self._client("s3").head_object(Bucket=bucket, Key=key)
        if secret and secret not in self._found:
            self._client("secretsmanager").get_secret_value(SecretId=secret)
        self._found |= {archive, secret}

    def point_record(self, host: Host) -> None:
        """Let the scheduler's name lead to a host."""
        zone = host.settings.get("ZONE") or self._zone(host)
        name = host.settings.get("RECORD") or f"scheduler.{host.cluster}.dask-cluster.internal"
        if zone is None:
            return
        record = {
            "Name": name,
            "Type": "A",
            "TTL": 10,
            "ResourceRecords": [{"Value": host.address}],
        }
        change = {"Action": "UPSERT", "ResourceRecordSet": record}
        self._client("route53").change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": [change]}
        )

    def register(self, scheduler: Host, started: str, workers: dict[str, int]) -> None:
        """Write who has registered."""
        value = {
            "scheduler": scheduler.id,
            "environment": scheduler.settings.get("ENVIRONMENT", ""),
            "started": started,
            "workers": workers,
            "at": now(),
        }
        self._put(f"{scheduler.prefix}/registered", value)

    def beat(self, scheduler: Host) -> None:
        """Send a heartbeat."""
        dimensions = [{"Name": "Cluster", "Value": scheduler.cluster}]
        self._client("cloudwatch").put_metric_data(
            Namespace="DaskCluster",
            MetricData=[{"MetricName": "Heartbeat", "Dimensions": dimensions, "Value": 1.0}],
        )

    def booted(self, host: Host) -> None:
        """Say that a boot went well: of workers only after one that failed."""
        name = f"{host.prefix}/{host.group}/boot"
        if host.is_scheduler or self._failures(name):
            self._put(name, _outcome(host, failures=0, reason="", log=""))

    def failed(self, host: Host, reason: str, log: list[str]) -> None:
        """Say that a boot failed, and give the instance up."""
        name = f"{host.prefix}/{host.group}/boot"
        failures = self._failures(name) + 1
        self._put(name, _outcome(host, failures=failures, reason=reason, log="\n".join(log)))
        scaling = self._client("autoscaling")
        if failures >= MOST_FAILURES:
            scaling.suspend_processes(
                AutoScalingGroupName=host.auto_scaling_group, ScalingProcesses=["Launch"]
            )
        if host.is_scheduler:
            self.complete(host, BOOT_HOOK, "ABANDON")
        else:
            scaling.set_instance_health(
                InstanceId=host.id, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
            )

    def complete(self, host: Host, hook: str, result: str = "CONTINUE") -> None:
        """Complete a lifecycle action of a host."""
        self._client("autoscaling").complete_lifecycle_action(
            AutoScalingGroupName=host.auto_scaling_group,
            LifecycleHookName=hook,
            InstanceId=host.id,
            LifecycleActionResult=result,
        )

    def _failures(self, name: str) -> int:
        try:
            value = self._client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
            return int(json.loads(value).get("failures", 0))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                return 0
            raise

    def _put(self, name: str, value: dict[str, Any]) -> None:
        self._client("ssm").put_parameter(Name=name, Value=json.dumps(value), Overwrite=True)

    def _zone(self, host: Host) -> str | None:
        name = f"{host.cluster}.dask-cluster.internal."
        zones = self._client("route53").list_hosted_zones()["HostedZones"]
        return next((str(one["Id"]) for one in zones if one["Name"] == name), None)

    def _client(self, service: str) -> Any:  # noqa: ANN401
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, proxies={})
            client = self._session.client(service, endpoint_url=self._endpoint, config=config)
            client.meta.events.register("before-sign", _mark)
            self._clients[service] = client
        return self._clients[service]


def now() -> str:
    """Return the time as hosts write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _mark(request: Any, **_: object) -> None:  # noqa: ANN401
    request.headers[HEADER] = "1"


def _outcome(host: Host, *, failures: int, reason: str, log: str) -> dict[str, Any]:
    return {
        "instance": host.id,
        "ok": not reason,
        "failures": failures,
        "reason": reason,
        "log": log,
        "at": now(),
    }
