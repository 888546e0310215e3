"""Launch templates: an update is a new version."""

from typing import Final

from engine.values import Properties
from sandbox.aws.provider.calls import Delete, Find
from sandbox.aws.provider.fields import (
    TAGS,
    block,
    block_set,
    blocks,
    flag,
    flag_text,
    from_aws,
    local,
    mapping,
    number,
    text,
    text_set,
    to_aws,
)
from sandbox.aws.provider.rows.arns import ec2_arn
from sandbox.aws.provider.table import Auto, Job, Row
from sandbox.aws.provider.tags import ec2, pairs, unpaired

_EBS: Final = {
    "deleteOnTermination": flag_text(computed=True),
    "encrypted": flag_text(computed=True),
    "iops": number(computed=True),
    "kmsKeyId": text(),
    "snapshotId": text(),
    "throughput": number(computed=True),
    "volumeSize": number(computed=True),
    "volumeType": text(computed=True),
}
_INTERFACE: Final = {
    "associateCarrierIpAddress": flag_text(),
    "associatePublicIpAddress": flag_text(),
    "deleteOnTermination": flag_text(computed=True),
    "description": text(),
    "deviceIndex": number(default=0),
    "enaSrdSpecification": block(
        {
            "enaSrdEnabled": flag(),
            "enaSrdUdpSpecification": block({"enaSrdUdpEnabled": flag()}),
        }
    ),
    "interfaceType": text(),
    "ipv4AddressCount": number("SecondaryPrivateIpAddressCount"),
    "networkCardIndex": number(default=0),
    "networkInterfaceId": text(),
    "privateIpAddress": text(),
    "securityGroups": text_set("Groups"),
    "subnetId": text(),
}
# What a version holds; the rest belongs to the template itself.
DATA: Final = {
    "blockDeviceMappings": blocks(
        {
            "deviceName": text(),
            "noDevice": text(),
            "virtualName": text(),
            "ebs": block(_EBS),
        }
    ),
    "capacityReservationSpecification": block(
        {
            "capacityReservationPreference": text(),
            "capacityReservationTarget": block(
                {
                    "capacityReservationId": text(),
                    "capacityReservationResourceGroupArn": text(),
                }
            ),
        }
    ),
    "cpuOptions": block({"amdSevSnp": text(), "coreCount": number(), "threadsPerCore": number()}),
    "creditSpecification": block({"cpuCredits": text()}),
    "disableApiStop": flag(),
    "disableApiTermination": flag(),
    "ebsOptimized": flag_text(),
    "enclaveOptions": block({"enabled": flag()}),
    "hibernationOptions": block({"configured": flag()}),
    "iamInstanceProfile": block({"arn": text(), "name": text()}),
    "imageId": text(),
    "instanceInitiatedShutdownBehavior": text(),
    "instanceMarketOptions": block(
        {
            "marketType": text(),
            "spotOptions": block(
                {
                    "blockDurationMinutes": number(),
                    "instanceInterruptionBehavior": text(computed=True),
                    "maxPrice": text(),
                    "spotInstanceType": text(),
                },
                computed=True,
            ),
        }
    ),
    "instanceType": text(),
    "keyName": text(),
    "maintenanceOptions": block({"autoRecovery": text()}),
    "metadataOptions": block(
        {
            "httpEndpoint": text(computed=True),
            "httpProtocolIpv6": text(computed=True),
            "httpPutResponseHopLimit": number(computed=True),
            "httpTokens": text(computed=True),
            "instanceMetadataTags": text(computed=True),
        },
        computed=True,
    ),
    "monitoring": block({"enabled": flag()}),
    "networkInterfaces": blocks(_INTERFACE),
    "networkPerformanceOptions": block({"bandwidthWeighting": text()}),
    "placement": block(
        {
            "affinity": text(),
            "availabilityZone": text(),
            "groupId": text(),
            "groupName": text(),
            "hostId": text(),
            "hostResourceGroupArn": text(),
            "partitionNumber": number(),
            "spreadDomain": text(),
            "tenancy": text(),
        }
    ),
    "privateDnsNameOptions": block(
        {
            "enableResourceNameDnsARecord": flag(),
            "enableResourceNameDnsAaaaRecord": flag("EnableResourceNameDnsAAAARecord"),
            "hostnameType": text(),
        }
    ),
    "securityGroupNames": text_set("SecurityGroups"),
    "tagSpecifications": block_set({"resourceType": text(), "tags": mapping()}),
    "userData": text(),
    "vpcSecurityGroupIds": text_set("SecurityGroupIds"),
}
_VERSIONED: Final = frozenset({*DATA, "description"})
_GONE: Final = [
    "InvalidLaunchTemplateId.NotFound",
    "InvalidLaunchTemplateId.NotFoundException",
    "InvalidLaunchTemplateName.NotFoundException",
]


def _data(job: Job) -> Properties:
    wanted = {key: value for key, value in job.news.items() if key in DATA}
    data = to_aws(DATA, wanted)
    for spec in data.get("TagSpecifications") or []:
        spec["Tags"] = pairs(spec.get("Tags") or {})
    return data


def _create(job: Job) -> str:
    params: Properties = {"LaunchTemplateName": job.get("name"), "LaunchTemplateData": _data(job)}
    if job.news.get("description"):
        params["VersionDescription"] = job.news["description"]
    assert job.row.tags is not None  # noqa: S101 - it is in the row below
    params |= job.row.tags.for_create(job.tags)
    return str(job.call("create_launch_template", **params)["LaunchTemplate"]["LaunchTemplateId"])


def _read(job: Job) -> Properties | None:
    find = Find(
        "describe_launch_templates",
        {"LaunchTemplateIds": ["{id}"]},
        "LaunchTemplates[0]",
        gone=_GONE,
        outputs={"arn": ec2_arn("launch-template/{id}"), "latestVersion": "LatestVersionNumber"},
    )
    item = find.item(job)
    if item is None:
        return None
    latest = str(item["LatestVersionNumber"])
    version = job.call(
        "describe_launch_template_versions", LaunchTemplateId=job.id, Versions=[latest]
    )["LaunchTemplateVersions"][0]
    data = dict(version["LaunchTemplateData"])
    for spec in data.get("TagSpecifications") or []:
        spec["Tags"] = unpaired(spec.get("Tags") or [])
    return {
        **from_aws(DATA, data),
        **find.props(job, item),
        "description": version.get("VersionDescription", ""),
    }


def _new_version(job: Job) -> None:
    if job.changed & _VERSIONED:
        params: Properties = {"LaunchTemplateId": job.id, "LaunchTemplateData": _data(job)}
        if job.news.get("description"):
            params["VersionDescription"] = job.news["description"]
        made = job.call("create_launch_template_version", **params)["LaunchTemplateVersion"]
        if job.news.get("updateDefaultVersion"):
            _set_default(job, int(made["VersionNumber"]))
    if "defaultVersion" in job.changed and job.news.get("defaultVersion"):
        _set_default(job, int(job.news["defaultVersion"]))


def _set_default(job: Job, version: int) -> None:
    job.call("modify_launch_template", LaunchTemplateId=job.id, DefaultVersion=str(version))


def _moving(job: Job) -> list[str]:
    if not job.changed & _VERSIONED:
        return []
    return ["latestVersion", *(["defaultVersion"] if job.news.get("updateDefaultVersion") else [])]


ROWS: Final = {
    "aws:ec2/launchTemplate:LaunchTemplate": Row(
        "ec2",
        {
            **DATA,
            "name": text("LaunchTemplateName", replace=True, computed=True),
            "namePrefix": local("text", replace=True),
            "description": text(""),
            "defaultVersion": number("DefaultVersionNumber", computed=True),
            "updateDefaultVersion": local(default=False),
            "tags": TAGS,
        },
        _create,
        _read,
        Delete("delete_launch_template", {"LaunchTemplateId": "{id}"}, _GONE),
        update=[_new_version],
        outputs=["arn", "latestVersion"],
        auto=Auto(longest=128),
        tags=ec2("launch-template"),
        moving=_moving,
    ),
}
