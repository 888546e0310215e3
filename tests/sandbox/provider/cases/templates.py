"""Launch templates."""

from __future__ import annotations

import base64

from tests.sandbox.provider.cases.case import Call, Case

TAG = {"Key": "dask-cluster", "Value": "dev"}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


TEMPLATE = Case(
    "template",
    "ec2.LaunchTemplate",
    {
        "image_id": "${ami}",
        "instance_type": "m5.large",
        "user_data": encoded("#!/bin/bash\ntrue\n"),
        "update_default_version": True,
        "iam_instance_profile": {"arn": "${profile.arn}"},
        "metadata_options": {
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
            "instance_metadata_tags": "enabled",
            "http_endpoint": "enabled",
        },
        "block_device_mappings": [
            {
                "device_name": "/dev/xvda",
                "ebs": {
                    "volume_size": 50,
                    "volume_type": "gp3",
                    "encrypted": "true",
                    "delete_on_termination": "true",
                },
            }
        ],
        "network_interfaces": [
            {
                "device_index": 0,
                "network_card_index": 0,
                "interface_type": "interface",
                "associate_public_ip_address": "false",
                "delete_on_termination": "true",
                "security_groups": ["${group.id}"],
                "ena_srd_specification": {
                    "ena_srd_enabled": True,
                    "ena_srd_udp_specification": {"ena_srd_udp_enabled": True},
                },
            }
        ],
        "placement": {"group_name": "${together.name}"},
        "cpu_options": {"core_count": 1, "threads_per_core": 1},
        "monitoring": {"enabled": True},
        "tag_specifications": [
            {"resource_type": kind, "tags": {"dask-cluster": "dev"}}
            for kind in ("instance", "volume")
        ],
    },
    Call(
        "ec2",
        "describe_launch_template_versions",
        {"LaunchTemplateId": "${template.id}", "Versions": ["$Latest"]},
        "LaunchTemplateVersions[0].{version: VersionNumber, is_default: DefaultVersion, "
        "data: LaunchTemplateData}",
    ),
    {
        "version": 1,
        "is_default": True,
        "data": {
            "ImageId": "${ami}",
            "InstanceType": "m5.large",
            "UserData": encoded("#!/bin/bash\ntrue\n"),
            "IamInstanceProfile": {"Arn": "${profile.arn}"},
            "MetadataOptions": {
                "HttpTokens": "required",
                "HttpPutResponseHopLimit": 1,
                "HttpEndpoint": "enabled",
                "InstanceMetadataTags": "enabled",
            },
            "BlockDeviceMappings": [
                {
                    "DeviceName": "/dev/xvda",
                    "Ebs": {
                        "VolumeSize": 50,
                        "VolumeType": "gp3",
                        "Encrypted": True,
                        "DeleteOnTermination": True,
                    },
                }
            ],
            "NetworkInterfaces": [
                {
                    "DeviceIndex": 0,
                    "NetworkCardIndex": 0,
                    "InterfaceType": "interface",
                    "AssociatePublicIpAddress": False,
                    "DeleteOnTermination": True,
                    "Groups": ["${group.id}"],
                    "EnaSrdSpecification": {
                        "EnaSrdEnabled": True,
                        "EnaSrdUdpSpecification": {"EnaSrdUdpEnabled": True},
                    },
                }
            ],
            "Placement": {"GroupName": "${together.name}"},
            "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 1},
            "Monitoring": {"Enabled": True},
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": [TAG]} for kind in ("instance", "volume")
            ],
        },
    },
    then={"instance_type": "m5a.large", "monitoring": None},
    had={"version": 2, "data.InstanceType": "m5a.large", "data.Monitoring": ...},
    by_hand=(
        Call(
            "ec2",
            "create_launch_template_version",
            {
                "LaunchTemplateId": "${template.id}",
                "SourceVersion": "2",
                "LaunchTemplateData": {"InstanceType": "m5.2xlarge"},
            },
        ),
    ),
    seen=("instanceType",),
    replacing={"name": "other", "namePrefix": "other"},
    unknown=("latestVersion", "defaultVersion"),
)


CASES = [TEMPLATE]
