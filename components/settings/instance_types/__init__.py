"""What EC2 instance types are: the few facts that a cluster is laid out by.

From a committed table, read when first asked for; `python -m components.settings.instance_types`
makes it. Nothing here calls AWS.
"""

import functools
from collections.abc import Mapping
from pathlib import Path

from components.settings.instance_types.table import InstanceType, family, read_types, zones_of

__all__ = ["InstanceType", "facts", "names", "offered", "zones_with"]

TYPES = Path(__file__).with_name("types.csv")
OFFERINGS = Path(__file__).with_name("offerings.txt")


def facts(name: str) -> InstanceType | None:
    """Return what is known of an instance type, or None where the table does not have it."""
    return _types().get(name)


def names() -> tuple[str, ...]:
    """Return the names of all instance types in the table."""
    return tuple(_types())


def offered(name: str, zone: str) -> bool | None:
    """Tell whether a zone has an instance type.

    In the oldest regions the letter of a zone means another place in each account: there the table
    shows the account that it was made with.

    Args:
        name: An instance type.
        zone: A zone by its full name, such as ``us-east-1a``.

    Returns:
        None where the region is not in the table: nothing is claimed.
    """
    region = _region(zone[:-1])
    return None if region is None else zone[-1] in _letters(region, name)


def zones_with(name: str, region: str) -> tuple[str, ...]:
    """Return the zones of a region that have an instance type; none for an unknown region."""
    return tuple(f"{region}{letter}" for letter in _letters(_region(region) or {}, name))


def _letters(region: Mapping[str, str], name: str) -> str:
    if name not in _types():
        return ""
    return region.get(name) or region.get(family(name)) or ""


@functools.cache
def _types() -> dict[str, InstanceType]:
    return read_types(TYPES.read_text(encoding="utf-8"))


@functools.cache
def _region(region: str) -> dict[str, str] | None:
    return zones_of(region, OFFERINGS.read_text(encoding="utf-8"))
