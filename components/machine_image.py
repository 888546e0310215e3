"""The AMI of a cluster's machines: looked up once, then held."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi import dynamic

from components import aws

# Amazon's own public parameter for Amazon Linux 2023 ("Reference the latest AMIs using Systems
# Manager public parameters", EC2 User Guide). Kernel 6.1, and not the default one: that moves every
# year, and the Lustre client is known to work with 6.1.
_LATEST = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-{architecture}"


class MachineImage(dynamic.Resource, module="machine_image", name="MachineImage"):
    """Amazon Linux 2023 as it was at the first ``up``: a new release must not roll a fleet.

    To move on, name the new image under ``images`` in the stack file.

    Attributes:
        image: Its id.
    """

    image: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        region: str,
        architecture: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Look it up, unless that was done before.

        Args:
            name: Name of the resource.
            region: An image has another id in each region.
            architecture: ``x86_64`` or ``arm64``.
            opts: Resource options.
        """
        props = {"region": region, "architecture": architecture, "image": None}
        super().__init__(_ImageProvider(), name, props, opts)


class _ImageProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        moved = [key for key in ("region", "architecture") if olds[key] != news[key]]
        return dynamic.DiffResult(changes=bool(moved), replaces=moved)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        name = _LATEST.format(architecture=props["architecture"])
        ssm = aws.client("ssm", props["region"])
        image = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        return dynamic.CreateResult(id_=image, outs=props | {"image": image})
