"""File systems: FSx for Lustre."""

from typing import Final

from engine.values import Properties
from sandbox.aws.provider.calls import Find
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    flag,
    local,
    number,
    replacing,
    text,
    text_set,
    to_aws,
)
from sandbox.aws.provider.table import Job, Row
from sandbox.aws.provider.tags import by_arn, unpaired
from sandbox.provider_protocol import ProviderError

_FSX_GONE: Final = ["FileSystemNotFound"]


_LUSTRE: Final = {
    "autoImportPolicy": text(computed=True),
    "automaticBackupRetentionDays": number(default=0),
    "copyTagsToBackups": flag(replace=True, default=False),
    "dailyAutomaticBackupStartTime": text(computed=True),
    "dataCompressionType": text(default="NONE"),
    "deploymentType": text(replace=True, default="SCRATCH_1"),
    "driveCacheType": text(replace=True),
    "efaEnabled": flag(replace=True, computed=True),
    "exportPath": text(replace=True, computed=True),
    "importPath": text(replace=True),
    "perUnitStorageThroughput": number(replace=True),
    "weeklyMaintenanceStartTime": text(computed=True),
}


_FSX: Final = Find(
    "describe_file_systems",
    {"FileSystemIds": ["{id}"]},
    "FileSystems[0]",
    gone=_FSX_GONE,
    outputs={
        "arn": "ResourceARN",
        "dnsName": "DNSName || ''",
        "mountName": "LustreConfiguration.MountName || ''",
        "networkInterfaceIds": "NetworkInterfaceIds || `[]`",
        "ownerId": "OwnerId || ''",
        "vpcId": "VpcId || ''",
        "kmsKeyId": "KmsKeyId || ''",
        "storageType": "StorageType || 'SSD'",
        "fileSystemTypeVersion": "FileSystemTypeVersion || ''",
    },
)


def _lustre_params(job: Job, names: list[str]) -> Properties:
    return to_aws(_LUSTRE, {key: job.news[key] for key in names if key in job.news})


def _create_lustre(job: Job) -> str:
    settings = _lustre_params(job, list(_LUSTRE))
    settings.setdefault("DeploymentType", "SCRATCH_1")
    subnet = job.get("subnetIds")
    params: Properties = {
        "FileSystemType": "LUSTRE",
        "SubnetIds": [subnet] if isinstance(subnet, str) else list(subnet),
        "LustreConfiguration": settings,
        **job.params("storageCapacity", "storageType", "securityGroupIds", "kmsKeyId"),
        **job.params("fileSystemTypeVersion"),
    }
    if job.tags and job.row.tags:
        params |= job.row.tags.for_create(job.tags)
    return str(job.call("create_file_system", **params)["FileSystem"]["FileSystemId"])


def _read_lustre(job: Job) -> Properties | None:
    item = _FSX.item(job)
    if item is None:
        return None
    settings = item.get("LustreConfiguration") or {}
    props = _FSX.props(job, item)
    for name, spec in _LUSTRE.items():
        if settings.get(spec.param(name)) is not None:
            props[name] = settings[spec.param(name)]
    props["subnetIds"] = next(iter(item.get("SubnetIds") or []), "")
    # AWS does not say which groups were asked for.
    props["securityGroupIds"] = job.get("securityGroupIds")
    props["tagsAll"] = unpaired(item.get("Tags") or [])
    return props


def _lustre_available(job: Job) -> None:
    def done() -> bool:
        item = _FSX.item(job) or {}
        if item.get("Lifecycle") in {"FAILED", "MISCONFIGURED"}:
            said = (item.get("FailureDetails") or {}).get("Message", "no reason given")
            raise ProviderError(f"file system {job.id} failed: {said}")
        return bool(item.get("Lifecycle") == "AVAILABLE")

    job.wait(f"file system {job.id} is available", done, seconds=1800)


def _change_lustre(job: Job) -> None:
    names = [k for k in job.changed if k in _LUSTRE and not _LUSTRE[k].replace]
    params: Properties = {}
    if names:
        params["LustreConfiguration"] = _lustre_params(job, names)
    if "storageCapacity" in job.changed:
        params |= job.params("storageCapacity")
    if params:
        job.call("update_file_system", FileSystemId=job.id, **params)
        _lustre_available(job)


def _cannot_grow(job: Job) -> list[str]:
    """A file system never shrinks, and the first kind of scratch does not grow either."""
    old, new = job.olds.get("storageCapacity") or 0, job.news.get("storageCapacity")
    fixed = job.olds.get("deploymentType") == "SCRATCH_1"
    smaller = isinstance(new, int | float) and new < old
    return ["storageCapacity"] if fixed or smaller else []


def _delete_lustre(job: Job) -> None:
    params: Properties = {"FileSystemId": job.id}
    if not str(job.olds.get("deploymentType", "")).startswith("SCRATCH"):
        params["LustreConfiguration"] = {"SkipFinalBackup": job.olds.get("skipFinalBackup", True)}
    try:
        job.call("delete_file_system", **params)
    except ApiError as error:
        if error.code not in _FSX_GONE:
            raise
    job.wait(f"file system {job.id} is gone", lambda: _FSX.item(job) is None, seconds=1800)


ROWS: Final = {
    "aws:fsx/lustreFileSystem:LustreFileSystem": Row(
        "fsx",
        {
            **replacing(
                {
                    "subnetIds": text("", required=True),
                    "storageType": text(computed=True),
                    "fileSystemTypeVersion": text(computed=True),
                    "kmsKeyId": text(computed=True),
                    "securityGroupIds": text_set(computed=True),
                }
            ),
            "storageCapacity": number(),
            **_LUSTRE,
            "skipFinalBackup": local(default=True),
            "tags": TAGS,
        },
        _create_lustre,
        _read_lustre,
        _delete_lustre,
        update=[_change_lustre],
        outputs=[
            "arn", "dnsName", "mountName", "networkInterfaceIds", "ownerId", "vpcId",
        ],
        ready=_lustre_available,
        replaced=_cannot_grow,
        tags=by_arn({"ResourceARN": "{arn}"}),
    ),
}  # fmt: skip
