"""Facts about machines: launch templates and Auto Scaling groups."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from tests.graph.facts.fact import fact, launch_templates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph.recorder import Graph, Resource

MOST_BYTES = 4096
# A key in PEM, an access key of AWS, and words that stand before a secret.
SECRETS = re.compile(
    r"PRIVATE KEY|A[KS]IA[0-9A-Z]{16}|password|passwd|token=['\"]?\w", re.IGNORECASE
)


@fact("CKV_AWS_79 ec2_launch_template_imdsv2_required CIS_6.7")
def imdsv2_only(graph: Graph) -> Iterator[Resource]:
    """Instance metadata is given out by IMDSv2 only."""
    for each in launch_templates(graph):
        options = each.inputs.get("metadataOptions", {})
        if (options.get("httpEndpoint"), options.get("httpTokens")) != ("enabled", "required"):
            yield each


@fact("CKV_AWS_341")
def one_hop(graph: Graph) -> Iterator[Resource]:
    """Metadata goes one hop: no container gets a role."""
    for each in launch_templates(graph):
        if each.inputs.get("metadataOptions", {}).get("httpPutResponseHopLimit") != 1:
            yield each


@fact("CKV_AWS_8 CKV_AWS_3 CIS_6.1.1")
def volumes_are_encrypted(graph: Graph) -> Iterator[Resource]:
    """Every volume is encrypted, and goes with its machine."""
    for each in launch_templates(graph):
        volumes = [m.get("ebs", {}) for m in each.inputs.get("blockDeviceMappings", [])]
        if not volumes or any(
            (v.get("encrypted"), v.get("deleteOnTermination")) != ("true", "true") for v in volumes
        ):
            yield each


@fact("CKV_AWS_189")
def volumes_have_a_customer_key(graph: Graph) -> Iterator[Resource]:
    """Every volume is encrypted with a key of the customer."""
    for each in launch_templates(graph):
        if any(not m["ebs"].get("kmsKeyId") for m in each.inputs["blockDeviceMappings"]):
            yield each


@fact("CKV_AWS_88 ec2_launch_template_no_public_ip")
def no_public_address(graph: Graph) -> Iterator[Resource]:
    """No machine has a public address, whatever the subnet says."""
    for each in launch_templates(graph):
        cards = each.inputs.get("networkInterfaces", [])
        first = [c for c in cards if (c["networkCardIndex"], c["deviceIndex"]) == (0, 0)]
        answers = [c.get("associatePublicIpAddress") for c in cards]
        if [c.get("associatePublicIpAddress") for c in first] != ["false"] or "true" in answers:
            yield each


@fact("CKV_AWS_46 ec2_launch_template_no_secrets")
def no_secret_in_boot_text(graph: Graph) -> Iterator[Resource]:
    """User data holds no secret: only where it is fetched."""
    for each in launch_templates(graph):
        if SECRETS.search(_without_imds(base64.b64decode(each.inputs["userData"]).decode())):
            yield each


def _without_imds(text: str) -> str:
    """Leave out the session token of the metadata service, which is asked for on the machine."""
    return re.sub(r"(?m)^token=\$\(curl .*$", "", text)


@fact("boot text of at most 4 KB")
def short_boot_text(graph: Graph) -> Iterator[Resource]:
    """User data is a script of at most 4 KB."""
    for each in launch_templates(graph):
        text = base64.b64decode(each.inputs["userData"])
        if len(text) > MOST_BYTES or not text.startswith(b"#!/bin/bash\n"):
            yield each


@fact("CKV_AWS_315 CIS_2.16")
def groups_use_launch_templates(graph: Graph) -> Iterator[Resource]:
    """Every Auto Scaling group uses a launch template with an instance profile of ours."""
    templates = {each.outputs["id"]: each for each in launch_templates(graph)}
    profiles = {each.outputs["arn"] for each in graph.of(":InstanceProfile")}
    for each in graph.of("autoscaling/group:Group"):
        mixed = each.inputs.get("mixedInstancesPolicy", {}).get("launchTemplate", {})
        chosen = mixed.get("launchTemplateSpecification", {}).get("launchTemplateId")
        template = templates.get(chosen or each.inputs.get("launchTemplate", {}).get("id"))
        if template is None or template.inputs["iamInstanceProfile"].get("arn") not in profiles:
            yield each


@fact("CKV_AWS_153")
def groups_have_tags(graph: Graph) -> Iterator[Resource]:
    """Every Auto Scaling group has the cluster's tag and a name, and hands them on."""
    for each in graph.of("autoscaling/group:Group"):
        handed = {t["key"] for t in each.inputs.get("tags", []) if t["propagateAtLaunch"]}
        if not {"dask-cluster", "Name"} <= handed:
            yield each


@fact("autoscaling_group_multiple_az")
def several_zones(graph: Graph) -> Iterator[Resource]:
    """Every Auto Scaling group is spread over zones."""
    for each in graph.of("autoscaling/group:Group"):
        if len(each.inputs["vpcZoneIdentifiers"]) < 2:
            yield each


@fact("autoscaling_group_multiple_instance_types")
def several_types(graph: Graph) -> Iterator[Resource]:
    """Every Auto Scaling group may use several instance types."""
    for each in graph.of("autoscaling/group:Group"):
        mixed = each.inputs.get("mixedInstancesPolicy", {}).get("launchTemplate", {})
        if len(mixed.get("overrides", [])) < 2:
            yield each


@fact("autoscaling_group_capacity_rebalance_enabled")
def rebalances(graph: Graph) -> Iterator[Resource]:
    """Spot instances at risk are replaced beforehand."""
    for each in graph.of("autoscaling/group:Group"):
        if not each.inputs.get("capacityRebalance"):
            yield each
