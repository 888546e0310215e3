"""Route 53: a record is made once, and deleted only by the values that it has."""

import re
from typing import Any

from moto.route53.models import Route53Backend

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.repairs.patching import replace


def apply() -> None:
    """Repair the changes of records."""
    original = Route53Backend.change_resource_record_sets

    def change(self: Route53Backend, zoneid: str, change_list: list[dict[str, Any]]) -> None:
        zone = self.get_hosted_zone(zoneid)
        for one in change_list:
            if one["Action"] == "DELETE":
                _check_delete(zone.rrsets, one["ResourceRecordSet"])
            elif one["Action"] == "CREATE":
                _check_create(zone.rrsets, one["ResourceRecordSet"])
        original(self, zoneid, change_list)

    replace(Route53Backend, "change_resource_record_sets", change)


def _found(records: list[Any], wanted: dict[str, Any]) -> list[Any]:
    return [
        one
        for one in records
        if one.type == wanted["Type"]
        and _plain(one.name) == _plain(wanted["Name"])
        and (one.set_identifier or None) == (wanted.get("SetIdentifier") or None)
    ]


def _what(wanted: dict[str, Any]) -> str:
    return f"[name='{wanted['Name'].rstrip('.')}.', type='{wanted['Type']}']"


def _check_create(records: list[Any], wanted: dict[str, Any]) -> None:
    if _found(records, wanted):
        raise _refused(f"Tried to create resource record set {_what(wanted)} but it already exists")


def _check_delete(records: list[Any], wanted: dict[str, Any]) -> None:
    found, what = _found(records, wanted), _what(wanted)
    if not found:
        raise _refused(f"Tried to delete resource record set {what} but it was not found")
    given = wanted.get("ResourceRecords")
    if given is None:
        return
    values = {one["Value"] if isinstance(one, dict) else str(one) for one in given}
    has = {str(value) for value in found[0].records}
    if values != has or int(wanted.get("TTL") or 0) != int(found[0].ttl or 0):
        raise _refused(
            f"Tried to delete resource record set {what} but the values provided do not match the "
            "current values"
        )


def _plain(name: str) -> str:
    return re.sub(r"\\052", "*", name).rstrip(".").lower()


def _refused(message: str) -> AwsError:
    return AwsError("InvalidChangeBatch", f"[{message}]")
