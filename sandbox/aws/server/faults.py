"""Errors that the server is told to answer, and pools that are told to be dry."""

from dataclasses import dataclass
from typing import Any, Final, cast

from sandbox.aws.server.calls import Call
from sandbox.aws.server.errors import KINDS, Kind

ANY: Final = "*"


class BadRequestError(Exception):
    """A request to the sandbox itself is wrong; the text says what to write instead."""


@dataclass
class Fault:
    """An error at chosen calls.

    Attributes:
        service: As boto3 names it, or ``*``.
        operation: As AWS names it, or ``*``.
        error: What goes wrong.
        nth: Only this call fails, counted from 1 over the matching calls.
        times: So many calls fail, from the first; used if `nth` is not given.
        seen: Matching calls so far.
        hits: How often it was answered.
    """

    service: str
    operation: str
    error: Kind
    nth: int | None = None
    times: int = 1
    seen: int = 0
    hits: int = 0

    def strikes(self, call: Call) -> bool:
        """Count a call that matches and tell whether it is to fail."""
        if self.service not in {ANY, call.service} or self.operation not in {ANY, call.operation}:
            return False
        self.seen += 1
        struck = self.seen == self.nth if self.nth is not None else self.seen <= self.times
        self.hits += struck
        return struck


class Faults:
    """The faults that are set."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def set(self, rows: object) -> None:
        """Add faults.

        Args:
            rows: A list of mappings with the keys of `Fault`.

        Raises:
            BadRequestError: A row is not one; none is added.
        """
        if not isinstance(rows, list):
            raise BadRequestError("faults are a list of objects")
        self._faults += [_fault(row) for row in rows]

    def clear(self) -> None:
        """Let every call through again."""
        self._faults.clear()

    def table(self) -> list[dict[str, Any]]:
        """Return the faults with what they did so far."""
        return [vars(fault).copy() for fault in self._faults]

    def take(self, call: Call) -> Kind | None:
        """Return what goes wrong with a call, None if nothing does."""
        struck = [fault.error for fault in self._faults if fault.strikes(call)]
        return struck[0] if struck else None


def _fault(row: object) -> Fault:
    if not isinstance(row, dict):
        raise BadRequestError(f"a fault is an object, not {row!r}")
    unknown = sorted(set(row) - {"service", "operation", "error", "nth", "times"})
    missing = sorted({"service", "operation", "error"} - set(row))
    if unknown or missing:
        raise BadRequestError(f"a fault {row!r} has unknown keys {unknown}, lacks {missing}")
    if row["error"] not in KINDS:
        raise BadRequestError(f"error {row['error']!r}: it is one of {', '.join(KINDS)}")
    for key in ("nth", "times"):
        if key in row and (not isinstance(row[key], int) or row[key] < 1):
            raise BadRequestError(f"{key} of a fault is a whole number from 1, not {row[key]!r}")
    return Fault(**cast("dict[str, Any]", row))


@dataclass(frozen=True)
class Pool:
    """Where instances come from; ``*`` stands for any.

    Attributes:
        type: The instance type.
        zone: The Availability Zone.
        market: ``spot`` or ``on-demand``.
    """

    type: str = ANY
    zone: str = ANY
    market: str = ANY

    def covers(self, instance_type: str, zone: str, market: str) -> bool:
        """Tell whether an instance would come from here."""
        wanted = ((self.type, instance_type), (self.zone, zone), (self.market, market))
        return all(mine in {ANY, theirs} for mine, theirs in wanted)


class Capacity:
    """Which pools have none."""

    def __init__(self) -> None:
        self._dry: set[Pool] = set()

    def dry(self, rows: object) -> None:
        """Take all capacity out of pools.

        Args:
            rows: A list of mappings with the keys of `Pool`.

        Raises:
            BadRequestError: A row is not one.
        """
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadRequestError("dry pools are a list of objects with type, zone and market")
        try:
            self._dry |= {Pool(**row) for row in rows}
        except TypeError as error:
            raise BadRequestError(f"a pool has type, zone and market: {error}") from error

    def clear(self) -> None:
        """Give every pool its capacity back."""
        self._dry.clear()

    def table(self) -> list[dict[str, str]]:
        """Return the dry pools."""
        return [vars(pool).copy() for pool in sorted(self._dry, key=repr)]

    def has(self, instance_type: str, zone: str, market: str) -> bool:
        """Tell whether an instance can be had."""
        return not any(pool.covers(instance_type, zone, market) for pool in self._dry)
