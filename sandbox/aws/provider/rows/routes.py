"""Route tables, routes and what uses them."""

import zlib
from collections.abc import Mapping
from typing import Any, Final

from engine.values import Properties
from sandbox.aws.provider.calls import Create, Delete, Find
from sandbox.aws.provider.fields import (
    TAGS,
    block_set,
    replacing,
    text,
)
from sandbox.aws.provider.rows.arns import ec2_arn
from sandbox.aws.provider.table import Job, Row
from sandbox.aws.provider.tags import ec2

_TARGETS: Final = {
    "gatewayId": text(),
    "natGatewayId": text(),
    "networkInterfaceId": text(computed=True),
    "transitGatewayId": text(),
    "vpcEndpointId": text(),
    "vpcPeeringConnectionId": text(),
    "egressOnlyGatewayId": text("EgressOnlyInternetGatewayId"),
}


_DESTINATIONS: Final = {
    "destinationCidrBlock": text(replace=True),
    "destinationIpv6CidrBlock": text("DestinationIpv6CidrBlock", replace=True),
    "destinationPrefixListId": text(replace=True),
}


_TABLE_GONE: Final = ["InvalidRouteTableID.NotFound"]


def _destination(job: Job) -> tuple[str, str]:
    return next((name, str(job.get(name))) for name in _DESTINATIONS if job.get(name))


def _route_id(job: Job) -> str:
    Create("create_route", "{routeTableId}")(job)
    return f"r-{job.get('routeTableId')}{zlib.crc32(_destination(job)[1].encode())}"


def _destination_param(name: str) -> str:
    return name[:1].upper() + name[1:]


def _read_route(job: Job) -> Properties | None:
    find = Find(
        "describe_route_tables",
        {"RouteTableIds": ["{routeTableId}"]},
        "RouteTables[0]",
        gone=_TABLE_GONE,
    )
    name, value = _destination(job)
    item = find.item(job)
    for route in (item or {}).get("Routes", []):
        if route.get(_destination_param(name)) == value:
            props = find.props(job, route)
            if str(route.get("GatewayId", "")).startswith("vpce-"):
                props["vpcEndpointId"] = props.pop("gatewayId")
            return props | {
                "routeTableId": job.get("routeTableId"),
                "origin": route.get("Origin", ""),
                "state": route.get("State", ""),
                "instanceId": route.get("InstanceId", ""),
                "instanceOwnerId": route.get("InstanceOwnerId", ""),
            }
    return None


def _replace_route(job: Job) -> None:
    name, value = _destination(job)
    where = {"RouteTableId": job.get("routeTableId"), _destination_param(name): value}
    changed = {key for key in _TARGETS if key in job.changed and job.news.get(key)}
    job.call("replace_route", **where, **job.params(*changed))


def _delete_route(job: Job) -> None:
    name, value = _destination(job)
    where = {"RouteTableId": "{routeTableId}", _destination_param(name): value}
    Delete("delete_route", where, gone=["InvalidRoute.NotFound", *_TABLE_GONE])(job)


def _read_association(job: Job) -> Properties | None:
    name = "association.route-table-association-id"
    found = job.call("describe_route_tables", Filters=[{"Name": name, "Values": [job.id]}])
    for table in found["RouteTables"]:
        for item in table["Associations"]:
            if item["RouteTableAssociationId"] == job.id:
                return {
                    "routeTableId": table["RouteTableId"],
                    "subnetId": item.get("SubnetId"),
                    "gatewayId": item.get("GatewayId"),
                }
    return None


def _table_routes(job: Job) -> None:
    """Bring the inline routes about, where the program has some."""
    if job.news.get("routes") is None:
        return
    fields = job.row.fields["routes"].fields
    olds = {_key(route): route for route in job.olds.get("routes") or []}
    news = {_key(route): route for route in job.news["routes"]}
    for key in olds.keys() - news.keys():
        destination = {k: v for k, v in _as_route(fields, olds[key]).items() if "Destination" in k}
        job.call("delete_route", RouteTableId=job.id, **destination)
    for key, route in news.items():
        if key not in olds:
            job.call("create_route", RouteTableId=job.id, **_as_route(fields, route))
        elif _as_route(fields, route) != _as_route(fields, olds[key]):
            job.call("replace_route", RouteTableId=job.id, **_as_route(fields, route))


def _key(route: Mapping[str, Any]) -> str:
    names = ("cidrBlock", "ipv6CidrBlock", "destinationPrefixListId")
    return next((str(route[name]) for name in names if route.get(name)), "")


def _as_route(fields: Mapping[str, Any], route: Mapping[str, Any]) -> Properties:
    return {fields[k].param(k): v for k, v in route.items() if v}


def _read_table(job: Job) -> Properties | None:
    find = Find(
        "describe_route_tables",
        {"RouteTableIds": ["{id}"]},
        "RouteTables[0]",
        gone=_TABLE_GONE,
        outputs={"arn": ec2_arn("route-table/{id}"), "ownerId": "OwnerId"},
    )
    props = find(job)
    if props is not None:
        # The local route is everybody's, and a gateway endpoint writes its own.
        props["routes"] = [
            route
            for route in props.get("routes", [])
            if route.get("gatewayId") != "local"
            and not str(route.get("gatewayId", "")).startswith("vpce-")
        ]
    return props


ROWS: Final = {
    "aws:ec2/routeTable:RouteTable": Row(
        "ec2",
        {
            "vpcId": text(replace=True, required=True),
            "routes": block_set(
                {
                    **_TARGETS,
                    "networkInterfaceId": text(),
                    "cidrBlock": text("DestinationCidrBlock"),
                    "ipv6CidrBlock": text("DestinationIpv6CidrBlock"),
                    "destinationPrefixListId": text(),
                },
                "Routes",
                computed=True,
            ),
            "tags": TAGS,
        },
        Create("create_route_table", "RouteTable.RouteTableId", only=["vpcId"]),
        _read_table,
        Delete(
            "delete_route_table", {"RouteTableId": "{id}"}, _TABLE_GONE, ["DependencyViolation"]
        ),
        update=[_table_routes],
        ready=_table_routes,
        outputs=["arn", "ownerId", "propagatingVgws"],
        tags=ec2("route-table"),
    ),
    "aws:ec2/route:Route": Row(
        "ec2",
        {"routeTableId": text(replace=True, required=True), **_DESTINATIONS, **_TARGETS},
        _route_id,
        _read_route,
        _delete_route,
        update=[_replace_route],
        outputs=["instanceId", "instanceOwnerId", "origin", "state"],
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Row(
        "ec2",
        replacing(
            {"routeTableId": text(required=True), "subnetId": text(), "gatewayId": text()}
        ),
        Create("associate_route_table", "AssociationId"),
        _read_association,
        Delete(
            "disassociate_route_table",
            {"AssociationId": "{id}"},
            ["InvalidAssociationID.NotFound"],
        ),
        # A subnet has one table at a time.
        delete_first=True,
    ),
}  # fmt: skip
