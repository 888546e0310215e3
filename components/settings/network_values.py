"""How one value about a network is read: ranges of addresses; on AWS regions, zones and ids."""

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from components.settings.choices import list_schema, matching, once, one_of
from components.settings.problems import WrongValueError, show
from components.settings.scalars import Json, Reads, or_null, sequence

_REGION = r"[a-z]{2,4}(?:-[a-z]+)+-[1-9]"
_HEX = r"(?:[0-9a-f]{8}|[0-9a-f]{17})"
_PRIVATE = [
    ipaddress.IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
]
_WIDEST = {4: 8, 6: 32}
_VPC_PREFIXES = range(16, 25)


def aws_id(prefix: str, what: str) -> Reads:
    """Read the id of a resource on AWS, of the older short form too."""
    example = f"{prefix}-0123456789abcdef0"
    return matching(
        rf"{prefix}-{_HEX}",
        problem=f"is no id of {what}",
        remedy=f"Write for example `{example}`.",
    )


def _network(value: object, example: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    remedy = f"Write for example `{example}`."
    text = value.strip() if isinstance(value, str) else ""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise WrongValueError(f"{show(value)} is no range of addresses", remedy) from None
    if "/" in text and ipaddress.ip_interface(text).ip != network.network_address:
        problem = f"{show(value)} is an address inside of a range"
        raise WrongValueError(problem, f"Write the range, `{network}`.")
    return network


def _allowed(value: object) -> str:
    network = _network(value, "203.0.113.0/24")
    if network.prefixlen == 0:
        remedy = "Name the networks that people come from, for example `203.0.113.0/24`."
        raise WrongValueError("the whole world is never let in", remedy)
    widest = _WIDEST[network.version]
    if network.prefixlen < widest:
        raise WrongValueError(f"{show(value)} is too wide", f"Write `/{widest}` or narrower.")
    return str(network)


def _vpc_range(value: object) -> str:
    example = "10.0.0.0/16"
    network = _network(value, example)
    if not isinstance(network, ipaddress.IPv4Network):
        raise WrongValueError(f"{show(value)} is not IPv4", f"Write for example `{example}`.")
    if not any(network.subnet_of(each) for each in _PRIVATE):
        remedy = "Write a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
        raise WrongValueError(f"{show(value)} is no private range", remedy)
    if network.prefixlen not in _VPC_PREFIXES:
        remedy = "Write `/16` to `/24`: AWS takes up to `/16`, and subnets must fit into it."
        extent = "wide" if network.prefixlen < min(_VPC_PREFIXES) else "narrow"
        raise WrongValueError(f"{show(value)} is too {extent}", remedy)
    return str(network)


_RANGE: Json = {"type": "string", "pattern": r"^\s*[0-9a-fA-F:.]+(?:/[0-9]{1,3})?\s*$"}


_REGIONS = matching(_REGION, problem="is no AWS region", remedy="Write for example `us-east-1`.")
_ZONE = matching(
    rf"{_REGION}[a-g]",
    problem="is no availability zone",
    remedy="Write the region and a letter, for example `us-east-1a`.",
)
_SUBNET = aws_id("subnet", "a subnet")
_FROM = Reads(_allowed, _RANGE)

Region = Annotated[str, _REGIONS]
VpcRange = Annotated[str, Reads(_vpc_range, _RANGE)]
VpcId = Annotated[str | None, or_null(aws_id("vpc", "a VPC"))]
Zones = Annotated[
    tuple[Annotated[str, _ZONE], ...],
    BeforeValidator(sequence),
    AfterValidator(once),
    WithJsonSchema(list_schema(_ZONE)),
]
Subnets = Annotated[
    tuple[Annotated[str, _SUBNET], ...],
    BeforeValidator(sequence),
    AfterValidator(once),
    WithJsonSchema(list_schema(_SUBNET)),
]
Egress = Annotated[Literal["nat", "natPerZone"], one_of("nat", "natPerZone")]
AllowedCidrs = Annotated[
    tuple[Annotated[str, _FROM], ...],
    BeforeValidator(sequence),
    AfterValidator(once),
    WithJsonSchema(list_schema(_FROM)),
]
