"""Which rights each call of a host needs, and on what.

By the Service Authorization Reference of AWS: "Actions, resources, and condition keys" of each
service. A call that is not in the table is refused, for what it needs is not known here.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from moto.secretsmanager.models import secretsmanager_backends

from sandbox.aws.server.access import objects
from sandbox.aws.server.access.asked import Asked
from sandbox.aws.server.access.evaluate import Need
from sandbox.aws.server.groups.model import REGIONS, Group

Rule: TypeAlias = Callable[[Asked], list[Need]]


def _nothing(_: Asked) -> list[Need]:
    """AWS asks for no right, and does not even heed a denial."""
    return []


def _no_resource(asked: Asked) -> list[Need]:
    return [asked.need()]


def _named_group(asked: Asked) -> list[Need]:
    return [_on_group(asked, str(asked.params["AutoScalingGroupName"]))]


def _groups_of_instances(asked: Asked) -> list[Need]:
    """Calls that name instances are checked against the groups that the instances are of."""
    ids = asked.params.get("InstanceIds") or [asked.params.get("InstanceId")]
    region = REGIONS.get(asked.region)
    members = region.members if region else {}
    names = {members[key][0].name if key in members else "*" for key in map(str, ids)}
    if given := asked.params.get("AutoScalingGroupName"):
        names.add(str(given))
    return [_on_group(asked, name) for name in sorted(names)]


def _on_group(asked: Asked, name: str) -> Need:
    """Return the right to do it to a group; of one that is not there only the name is known."""
    if name.startswith("arn:"):
        name = name.rpartition("autoScalingGroupName/")[2]
    group: Group | None = (
        REGIONS[asked.region].groups.get(name) if asked.region in REGIONS else None
    )
    if group is None:
        missing = f"autoScalingGroup:*:autoScalingGroupName/{name}"
        return asked.need(asked.arn("autoscaling", missing), tags={})
    tags = {str(tag["Key"]): str(tag.get("Value") or "") for tag in group.tags}
    return asked.need(group.arn, tags=tags)


def _hosted_zone(asked: Asked) -> list[Need]:
    return [asked.need(_zone(asked))]


def _changes_of_records(asked: Asked) -> list[Need]:
    changes = asked.params["ChangeBatch"]["Changes"]
    records = [each["ResourceRecordSet"] for each in changes]
    prefix = "route53:changeresourcerecordsets"
    keys = {
        f"{prefix}normalizedrecordnames": tuple(_normalized(each["Name"]) for each in records),
        f"{prefix}recordtypes": tuple(str(each["Type"]) for each in records),
        f"{prefix}actions": tuple(str(each["Action"]) for each in changes),
    }
    return [asked.need(_zone(asked), keys=keys)]


def _zone(asked: Asked) -> str:
    zone = str(asked.params["HostedZoneId"]).rpartition("/")[2]
    return f"arn:{asked.partition}:route53:::hostedzone/{zone}"


def _normalized(name: str) -> str:
    r"""Write a record's name as AWS does for conditions.

    Lower case, without a dot at the end, and with octal codes such as ``\052`` for what is neither
    a letter, a digit, ``-``, ``_`` nor ``.`` ("Using IAM policy conditions for fine-grained access
    control", Route 53 Developer Guide).
    """
    plain = name.lower().rstrip(".")
    known = "abcdefghijklmnopqrstuvwxyz0123456789-_.\\"
    return "".join(c if c in known else f"\\{ord(c):03o}" for c in plain)


def _parameter(asked: Asked) -> list[Need]:
    return [asked.need(_parameter_arn(asked, str(asked.params["Name"])))]


def _parameters(asked: Asked) -> list[Need]:
    return [asked.need(_parameter_arn(asked, str(name))) for name in asked.params["Names"]]


def _parameter_arn(asked: Asked, name: str) -> str:
    """Name a parameter; a version or label after a colon is no part of it, nor a first slash."""
    if name.startswith("arn:"):
        return ":".join(name.split(":")[:6])
    plain = name.partition(":")[0]
    # AWS's own are in no account.
    account = "" if plain.startswith("/aws/") else asked.account
    resource = f"parameter/{plain.removeprefix('/')}"
    return f"arn:{asked.partition}:ssm:{asked.region}:{account}:{resource}"


def _secret(asked: Asked) -> list[Need]:
    given = str(asked.params["SecretId"])
    found = secretsmanager_backends[asked.account][asked.region].secrets.get(given)
    if found is not None:
        arn = str(found.arn)
    else:
        arn = given if given.startswith("arn:") else asked.arn("secretsmanager", f"secret:{given}")
    return [asked.need(arn, shown=given)]


def _log_stream(asked: Asked) -> list[Need]:
    group = asked.params.get("logGroupName") or asked.params.get("logGroupIdentifier")
    # Of an ARN, which has the form ...:log-group:NAME, the name.
    name = str(group).removesuffix(":*").rpartition(":")[2]
    stream = asked.params.get("logStreamName", "")
    return [asked.need(asked.arn("logs", f"log-group:{name}:log-stream:{stream}"))]


def _namespace(asked: Asked) -> list[Need]:
    return [asked.need(keys={"cloudwatch:namespace": str(asked.params["Namespace"])})]


def _rows() -> Iterator[tuple[tuple[str, str], Rule]]:
    for service, rules in _SERVICES.items():
        for operations, rule in rules.items():
            for operation in operations.split():
                yield (service, operation), rule


_SERVICES: Final[Mapping[str, Mapping[str, Rule]]] = {
    "autoscaling": {
        "CompleteLifecycleAction RecordLifecycleActionHeartbeat": _named_group,
        "SuspendProcesses ResumeProcesses SetDesiredCapacity": _named_group,
        "UpdateAutoScalingGroup DeleteAutoScalingGroup SetInstanceProtection": _named_group,
        "SetInstanceHealth TerminateInstanceInAutoScalingGroup": _groups_of_instances,
        "DescribeAutoScalingGroups DescribeAutoScalingInstances": _no_resource,
        "DescribeScalingActivities": _no_resource,
    },
    "route53": {
        "ChangeResourceRecordSets": _changes_of_records,
        "ListResourceRecordSets GetHostedZone": _hosted_zone,
    },
    "ssm": {"GetParameter PutParameter DeleteParameter": _parameter, "GetParameters": _parameters},
    "secretsmanager": {"GetSecretValue DescribeSecret PutSecretValue": _secret},
    "logs": {
        "CreateLogStream PutLogEvents DescribeLogStreams": _log_stream,
        "GetLogEvents FilterLogEvents DeleteLogStream": _log_stream,
    },
    "cloudwatch": {"PutMetricData": _namespace},
    "sts": {"GetCallerIdentity": _nothing},
}
_TABLE: Final[dict[tuple[str, str], Rule]] = {
    **dict(_rows()),
    **{("s3", operation): rule for operation, rule in objects.TABLE.items()},
}


def needs(service: str, operation: str) -> Callable[[Asked], list[Need]] | None:
    """Return what says which rights a call needs; None if the sandbox does not know."""
    return _TABLE.get((service, operation))


def known() -> list[tuple[str, str]]:
    """Return the calls of the table."""
    return sorted(_TABLE)
