"""Everything that exists in the account, by service, type, region and id.

What nobody made is not listed: AMIs, AWS's own policies and public parameters. What an account has
from its start, such as the default VPC, is the baseline and listed only when asked for.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from sandbox.aws.server import extras, groups
from sandbox.aws.server.world import WORLD

Row: TypeAlias = dict[str, str]
Lister: TypeAlias = Callable[[Any], Iterable[str]]

_ALIVE_INSTANCE: Final = frozenset({"pending", "running", "shutting-down", "stopping", "stopped"})


def _keys(attribute: str) -> Lister:
    return lambda backend: [str(key) for key in getattr(backend, attribute)]


def _nested(attribute: str) -> Lister:
    return lambda backend: [key for inner in getattr(backend, attribute).values() for key in inner]


def _instances(backend: Any) -> Iterator[str]:  # noqa: ANN401
    for reservation in backend.reservations.values():
        yield from (i.id for i in reservation.instances if i.state in _ALIVE_INSTANCE)


def _nat_gateways(backend: Any) -> Iterator[str]:  # noqa: ANN401
    return (key for key, gate in backend.nat_gateways.items() if gate.state != "deleted")


def _snapshots(backend: Any) -> Iterator[str]:  # noqa: ANN401
    return (key for key, snap in backend.snapshots.items() if not snap.from_ami)


def _addresses(backend: Any) -> Iterator[str]:  # noqa: ANN401
    return (address.allocation_id for address in backend.addresses)


def _endpoints(backend: Any) -> Iterator[str]:  # noqa: ANN401
    return (key for key, end in backend.vpc_end_points.items() if end.state != "deleted")


def _policies(backend: Any) -> Iterator[str]:  # noqa: ANN401
    return (key for key in backend.managed_policies if ":iam::aws:" not in key)


def _objects(backend: Any) -> Iterator[str]:  # noqa: ANN401
    for name, bucket in backend.buckets.items():
        yield from (f"{name}/{key}" for key in bucket.keys)


def _parameters(backend: Any) -> Iterator[str]:  # noqa: ANN401
    return (key for key in dict.keys(backend._parameters) if not key.startswith("/aws/"))  # noqa: SLF001


def _records(backend: Any) -> Iterator[str]:  # noqa: ANN401
    for zone in backend.zones.values():
        made = (record for record in zone.rrsets if record.type not in {"NS", "SOA"})
        yield from (f"{record.name} {record.type}" for record in made)


def _budgets(backend: Any) -> Iterator[str]:  # noqa: ANN401
    return (name for budgets in backend.budgets.values() for name in budgets)


def _customer_keys(backend: Any) -> Iterator[str]:  # noqa: ANN401
    return (key for key, found in backend.keys.items() if found.key_manager == "CUSTOMER")


def _named_buses(backend: Any) -> Iterator[str]:  # noqa: ANN401
    return (f"{bus.name}/{rule}" for bus in backend.event_buses.values() for rule in bus.rules)


_TYPES: Final[dict[str, dict[str, Lister]]] = {
    "ec2": {
        "vpc": _keys("vpcs"),
        "subnet": _nested("subnets"),
        "route-table": _keys("route_tables"),
        "internet-gateway": _keys("internet_gateways"),
        "nat-gateway": _nat_gateways,
        "elastic-ip": _addresses,
        "security-group": _nested("groups"),
        "network-acl": _keys("network_acls"),
        "network-interface": _keys("enis"),
        "vpc-endpoint": _endpoints,
        "flow-log": _keys("flow_logs"),
        "dhcp-options": _keys("dhcp_options_sets"),
        "instance": _instances,
        "volume": _keys("volumes"),
        "snapshot": _snapshots,
        "launch-template": _keys("launch_templates"),
        "placement-group": lambda backend: extras.of_region(backend).placement_groups,
        "key-pair": _keys("key_pairs"),
        "fleet": _keys("fleets"),
        "spot-instance-request": _keys("spot_instance_requests"),
    },
    "iam": {
        "role": _keys("roles"),
        "policy": _policies,
        "instance-profile": _keys("instance_profiles"),
        "user": _keys("users"),
        "group": _keys("groups"),
        "oidc-provider": _keys("open_id_providers"),
    },
    "s3": {"bucket": _keys("buckets"), "object": _objects},
    "ssm": {"parameter": _parameters, "document": _keys("_documents")},
    "secretsmanager": {"secret": lambda backend: (s.name for s in backend.secrets.values())},
    "logs": {"log-group": _keys("groups"), "resource-policy": _keys("resource_policies")},
    "cloudwatch": {"alarm": _keys("alarms"), "dashboard": _keys("dashboards")},
    "route53": {"hosted-zone": _keys("zones"), "record": _records},
    "efs": {
        "file-system": _keys("file_systems_by_id"),
        "mount-target": _keys("mount_targets_by_id"),
        "access-point": _keys("access_points"),
    },
    "fsx": {"file-system": _keys("file_systems"), "backup": _keys("backups")},
    "sns": {"topic": _keys("topics"), "subscription": _keys("subscriptions")},
    "sqs": {"queue": _keys("queues")},
    "events": {"rule": _named_buses},
    "budgets": {"budget": _budgets},
    "kms": {"key": _customer_keys},
}


def contents(*, baseline: bool = False) -> list[Row]:
    """List what exists.

    Args:
        baseline: Also list what the account has from its start.

    Returns:
        Rows with service, type, region and id.
    """
    with WORLD.clock.lock:
        found = [*_of_moto(), *groups.contents()]
    if baseline:
        return found
    return [row for row in found if (row["service"], row["id"]) not in WORLD.baseline]


def _of_moto() -> Iterator[Row]:
    for service, types in _TYPES.items():
        # Only regions that were used: asking moto for another one would make it.
        regions = get_backend(service)[DEFAULT_ACCOUNT_ID]  # type: ignore[call-overload]
        for region, backend in list(regions.items()):
            for kind, lister in types.items():
                for name in lister(backend):
                    yield {"service": service, "type": kind, "region": region, "id": name}
