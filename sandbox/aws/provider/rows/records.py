"""Route 53: records. They have no regions."""

from typing import Any, Final

from engine.values import Properties
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    blocks,
    flag,
    local,
    number,
    text,
    text_set,
)
from sandbox.aws.provider.rows.dns import GONE
from sandbox.aws.provider.table import Job, Row
from sandbox.provider_protocol import ProviderError

_SYNC_SECONDS: Final = 1800


def _full_name(job: Job) -> str:
    """The record's whole name; a program may leave the zone's away."""
    name = str(job.get("name")).rstrip(".").lower()
    zone = str(job.call("get_hosted_zone", Id=job.get("zoneId"))["HostedZone"]["Name"]).rstrip(".")
    inside = not name or name == zone or name.endswith(f".{zone}")
    return (name or zone) if inside else f"{name}.{zone}"


def _record_set(name: str, props: Properties) -> Properties:
    record: Properties = {"Name": name, "Type": str(props["type"])}
    if props.get("setIdentifier"):
        record["SetIdentifier"] = props["setIdentifier"]
    if aliases := props.get("aliases"):
        record["AliasTarget"] = {
            "DNSName": aliases[0]["name"],
            "HostedZoneId": aliases[0]["zoneId"],
            "EvaluateTargetHealth": bool(aliases[0]["evaluateTargetHealth"]),
        }
        return record
    record["TTL"] = int(props.get("ttl") or 0)
    record["ResourceRecords"] = [{"Value": _quoted(record, str(v))} for v in props["records"]]
    return record


def _quoted(record: Properties, value: str) -> str:
    return f'"{value}"' if record["Type"] in {"TXT", "SPF"} else value


def _change_record(job: Job, action: str, record: Properties) -> None:
    answer = job.call(
        "change_resource_record_sets",
        HostedZoneId=job.get("zoneId"),
        ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
    )
    change = answer["ChangeInfo"]
    if change["Status"] == "INSYNC":
        return
    key = str(change["Id"]).rsplit("/", 1)[-1]

    def done() -> bool:
        return bool(job.call("get_change", Id=key)["ChangeInfo"]["Status"] == "INSYNC")

    job.wait(f"the change of record {record['Name']} is in sync", done, seconds=_SYNC_SECONDS)


def _create_record(job: Job) -> str:
    name = _full_name(job)
    record = _record_set(name, job.news)
    if not job.news.get("allowOverwrite") and _find_record(job, name):
        raise ProviderError(
            f"ChangeResourceRecordSets: InvalidChangeBatch: the {record['Type']} record {name} "
            "exists already; set allowOverwrite to take it over"
        )
    action = "UPSERT" if job.news.get("allowOverwrite") else "CREATE"
    _change_record(job, action, record)
    parts = [str(job.get("zoneId")), name, record["Type"], str(job.get("setIdentifier") or "")]
    return "_".join(part for part in parts if part)


def _find_record(job: Job, name: str) -> Properties | None:
    try:
        found = job.call(
            "list_resource_record_sets",
            HostedZoneId=job.get("zoneId"),
            StartRecordName=name,
            StartRecordType=job.get("type"),
            MaxItems="10",
        )["ResourceRecordSets"]
    except ApiError as error:
        if error.code in GONE:
            return None
        raise
    wanted = (name, str(job.get("type")), job.get("setIdentifier") or "")
    for record in found:
        have = str(record["Name"]).rstrip(".").replace("\\052", "*")
        if (have, record["Type"], record.get("SetIdentifier", "")) == wanted:
            return dict(record)
    return None


def _read_record(job: Job) -> Properties | None:
    name = str(job.olds.get("fqdn") or "")
    if not name:
        try:
            name = _full_name(job)
        except ApiError as error:
            if error.code in GONE:
                return None
            raise
    record = _find_record(job, name)
    if record is None:
        return None
    values: list[Any] = [item["Value"] for item in record.get("ResourceRecords") or []]
    text_like = record["Type"] in {"TXT", "SPF"}
    props: Properties = {
        "zoneId": job.get("zoneId"),
        "name": job.get("name") or name,
        "type": record["Type"],
        "fqdn": name,
        "records": [value.strip('"') if text_like else value for value in values],
        "setIdentifier": record.get("SetIdentifier", ""),
    }
    if record.get("TTL") is not None:
        props["ttl"] = record["TTL"]
    if alias := record.get("AliasTarget"):
        props["aliases"] = [
            {
                "name": str(alias["DNSName"]).rstrip("."),
                "zoneId": alias["HostedZoneId"],
                "evaluateTargetHealth": alias["EvaluateTargetHealth"],
            }
        ]
    return props


def _update_record(job: Job) -> None:
    if job.changed - {"allowOverwrite"}:
        _change_record(job, "UPSERT", _record_set(str(job.olds["fqdn"]), job.news))


def _delete_record(job: Job) -> None:
    # Whatever it says by now: deleting takes the record as it is, not as it was made.
    record = _find_record(job, str(job.olds.get("fqdn") or job.get("name")))
    if record is None:
        return
    try:
        _change_record(job, "DELETE", record)
    except ApiError as error:
        if error.code not in {*GONE, "InvalidChangeBatch"} or _find_record(job, record["Name"]):
            raise


def _content(inputs: Properties) -> list[tuple[str, str]]:
    if bool(inputs.get("records")) == bool(inputs.get("aliases")):
        return [("records", "exactly one of records and aliases must be given")]
    if inputs.get("records") and "ttl" not in inputs:
        return [("ttl", "ttl is needed with records")]
    return []


ROWS: Final = {
    "aws:route53/record:Record": Row(
        "route53",
        {
            "zoneId": text("", replace=True, required=True),
            "name": text("", replace=True, required=True),
            "type": text("", replace=True, required=True),
            "ttl": number(""),
            "records": text_set(""),
            "aliases": blocks(
                {"name": text(), "zoneId": text(), "evaluateTargetHealth": flag()}, ""
            ),
            "setIdentifier": text("", replace=True),
            "allowOverwrite": local(default=False),
        },
        _create_record,
        _read_record,
        _delete_record,
        update=[_update_record],
        outputs=["fqdn"],
        check=_content,
        regional=False,
    ),
}  # fmt: skip
