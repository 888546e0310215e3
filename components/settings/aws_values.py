"""How one value about AWS is read: instance types, buckets, file systems, tags.

Formats are those of the AWS API references (EC2, S3 bucket naming rules, FSx, resource tagging).
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from components.settings import instance_types
from components.settings.choices import (
    YES_OR_NO,
    at_most,
    list_schema,
    matching,
    not_empty,
    once,
    one_of,
)
from components.settings.network_values import aws_id
from components.settings.problems import WrongValueError, did_you_mean, show
from components.settings.scalars import (
    GIB,
    MOST_WORKERS,
    Json,
    Reads,
    mapping,
    or_json,
    or_null,
    sequence,
    size,
    size_schema,
    whole,
)

# An object in S3 takes ten ("Categorizing your storage using tags"), and one is the project's.
MOST_TAGS = 9
"""AWS takes 50 on a resource; the rest is for the project's own and those of AWS."""

OWN_TAG = "dask-cluster"
RENEW = "python -m components.settings.instance_types --aws REGION"

_SYSTEM = (
    "bin|boot|dev|etc|home|lib|lib32|lib64|libx32|lost\\+found|proc|root|run|sbin|sys|tmp|usr|var"
)


def _instance_type(name: str) -> str:
    found = instance_types.facts(name)
    if found is None:
        near = did_you_mean(name, instance_types.names(), near=0.75)
        start = f"Did you mean `{near}`?" if near else "Write for example `m7i.large`."
        remedy = f"{start} A newer type: renew the table, `{RENEW}`."
        raise WrongValueError(f"{show(name)} is no instance type of the table", remedy)
    if found.gpus:
        problem = f"{name} has a GPU or another accelerator, which is not supported yet"
        raise WrongValueError(problem, "Write a type without, for example `m7i.large`.")
    return name


def _bucket(text: str) -> str:
    name, _, prefix = text.partition("/")
    taken = re.search(
        r"^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$", name
    )
    dotted = ".." in name or re.fullmatch(r"[0-9.]+", name)
    if taken or dotted:
        problem = f"{show(name)} is no name of an S3 bucket"
        raise WrongValueError(problem, "Write for example `my-data` or `my-data/a/folder`.")
    return f"{name}/{prefix.rstrip('/')}".rstrip("/")


def _mount(path: str) -> str:
    if re.match(rf"/(?:{_SYSTEM}|opt/dask-cluster)(?:/|$)", path):
        raise WrongValueError(f"{path} belongs to the system", "Write for example `/data`.")
    return path


def _volume(value: object) -> int:
    found = size(value)
    if found % GIB:
        raise WrongValueError(f"{show(value)} is not in whole GiB", "Write for example `50 GiB`.")
    if not 16 * GIB <= found <= 16384 * GIB:
        remedy = "Write `16 GiB` to `16384 GiB`: the system and the environment take about 8."
        raise WrongValueError(f"{show(value)} is out of range", remedy)
    return found


def _lustre_size(value: object) -> int:
    found = size(value)
    if found != 1200 * GIB and (found == 0 or found % (2400 * GIB)):
        problem = f"{show(value)} is no size of a scratch file system"
        raise WrongValueError(problem, "Write `1200 GiB`, or `2400 GiB` and multiples of it.")
    return found


def _tag_key(value: object) -> str:
    remedy = "Write for example `team`."
    # Instances read their tags from the metadata service, which has no spaces and slashes in keys
    # (EC2 User Guide, "View tags for your EC2 instances using instance metadata").
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_.:=+@-]{1,128}", value):
        problem = f"{show(value)} is no key of a tag"
        raise WrongValueError(problem, f"At most 128 letters, digits and `_.:=+-@`. {remedy}")
    if value.lower().startswith("aws:"):
        raise WrongValueError(f"{show(value)}: AWS keeps `aws:` for itself", remedy)
    if value.lower() in {OWN_TAG, "name"} or value.lower().startswith(f"{OWN_TAG}:"):
        raise WrongValueError(f"{show(value)} is a tag of the project", remedy)
    return value


def _tag_value(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"[\w .:/=+@-]{0,256}", text):
        remedy = "Write at most 256 letters, digits, spaces and `_.:/=+-@`, in quotes."
        raise WrongValueError(f"{show(value)} is no value of a tag", remedy)
    return text


def _different_tags(tags: dict[str, str]) -> dict[str, str]:
    seen: dict[str, str] = {}
    for key in tags:
        first = seen.setdefault(key.lower(), key)
        if first != key:
            problem = f"IAM takes `{first}` and `{key}` for the same tag"
            raise WrongValueError(problem, "Keep one of the two.")
    return tags


_TYPE = matching(
    r"[a-z][a-z0-9-]*\.[a-z0-9-]+",
    problem="is no instance type",
    remedy="Write for example `m7i.large`.",
    check=_instance_type,
)
_BUCKET = matching(
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9!_.()'=-]+)*/?",
    problem="is no name of an S3 bucket, nor one with a prefix",
    remedy="Write for example `my-data` or `my-data/a/folder`, without `s3://`.",
    check=_bucket,
)
_MAIL = matching(
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    problem="is no e-mail address",
    remedy="Write for example `someone@example.org`.",
)
_IMAGE = aws_id("ami", "an image")
_TAG: Json = {
    "type": "object",
    "propertyNames": {"pattern": rf"^(?![aA][wW][sS]:)(?!{OWN_TAG}(?::|$))[^ /]*$"},
    "additionalProperties": {
        "anyOf": [{"type": "string", "pattern": r"^[^<>&\\*?]{0,256}$"}, {"type": "integer"}]
    },
}
_IMAGES: Json = {
    "type": "object",
    "properties": dict.fromkeys(("x86_64", "arm64"), _IMAGE.schema),
    "additionalProperties": False,
}

YesNo = Annotated[bool, YES_OR_NO]
InstanceTypeName = Annotated[str, _TYPE]
InstanceTypes = Annotated[
    tuple[Annotated[str, _TYPE], ...],
    BeforeValidator(sequence),
    AfterValidator(once),
    AfterValidator(not_empty("[m7i.large]")),
    AfterValidator(at_most(40, "types for an Auto Scaling group")),
    WithJsonSchema(list_schema(_TYPE, minItems=1, maxItems=40)),
]
Architecture = Annotated[Literal["x86_64", "arm64"], one_of("x86_64", "arm64")]
Images = Annotated[
    dict[Annotated[Literal["x86_64", "arm64"], one_of("x86_64", "arm64")], Annotated[str, _IMAGE]],
    BeforeValidator(mapping),
    WithJsonSchema(or_json(_IMAGES, "{")),
]
Buckets = Annotated[
    tuple[Annotated[str, _BUCKET], ...],
    BeforeValidator(sequence),
    AfterValidator(once),
    WithJsonSchema(list_schema(_BUCKET)),
]
FileSystemId = Annotated[str | None, or_null(aws_id("fs", "a file system"))]
MountPath = Annotated[
    str,
    matching(
        r"(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+",
        problem="is no path to mount at",
        remedy="Write for example `/data`.",
        check=_mount,
    ),
]
MountName = Annotated[
    str | None,
    or_null(
        matching(
            r"[A-Za-z0-9_-]{1,8}",
            problem="is no mount name of a Lustre file system",
            remedy="Write the one that FSx shows, for example `fsx`.",
        )
    ),
]
LustreSize = Annotated[int | None, or_null(Reads(_lustre_size, size_schema(1200 * GIB)))]
Tags = Annotated[
    dict[
        Annotated[str, Reads(_tag_key, {"type": "string"})],
        Annotated[str, Reads(_tag_value, {"type": "string"})],
    ],
    BeforeValidator(mapping),
    AfterValidator(at_most(MOST_TAGS, "tags")),
    AfterValidator(_different_tags),
    WithJsonSchema(or_json(_TAG, "{")),
]
Budget = Annotated[int | None, or_null(whole(1, 10_000_000, example=500, also="null"))]
Mails = Annotated[
    tuple[Annotated[str, _MAIL], ...],
    BeforeValidator(sequence),
    AfterValidator(once),
    AfterValidator(at_most(10, "addresses for a budget")),
    WithJsonSchema(list_schema(_MAIL, maxItems=10)),
]
OnDemandFloor = Annotated[int, whole(0, MOST_WORKERS, example=1)]
RootVolume = Annotated[int, Reads(_volume, size_schema(16 * GIB))]
ThreadsPerCore = Annotated[int | None, or_null(whole(1, 2, example=1, also="null"))]
Network = Annotated[
    Literal["standard", "enaExpress", "efa"], one_of("standard", "enaExpress", "efa")
]
ReservationId = Annotated[str | None, or_null(aws_id("cr", "a capacity reservation"))]
