"""Launch templates as a group uses them: which version, and whether it can be launched."""

from dataclasses import dataclass
from typing import Any, Final

from moto.core.exceptions import ServiceException
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.iam.models import iam_backends

from sandbox.aws.server.groups.model import Group, Template, invalid

_PREFIX: Final = "You must use a valid fully-formed launch template."


@dataclass(frozen=True)
class Plan:
    """What to launch.

    Attributes:
        template: The template at the version that counts now.
        data: Its LaunchTemplateData.
        types: The instance types to choose from, the first preferred.
    """

    template: Template
    data: dict[str, Any]
    types: tuple[str, ...]


def ec2(region: str) -> EC2Backend:
    """Return moto's EC2 of a region."""
    return ec2_backends[DEFAULT_ACCOUNT_ID][region]


def specification(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the launch template that a group, or its mixed policy, names."""
    mixed = settings.get("MixedInstancesPolicy")
    if mixed:
        template = mixed.get("LaunchTemplate") or {}
        return dict(template.get("LaunchTemplateSpecification") or {})
    return dict(settings.get("LaunchTemplate") or {})


def resolve(region: str, wanted: dict[str, Any]) -> tuple[Template, dict[str, Any]]:
    """Find a template at the version that is meant now.

    Args:
        region: Where.
        wanted: A LaunchTemplateSpecification.

    Returns:
        The template and its data.

    Raises:
        ServiceException: There is no such template or version.
    """
    backend = ec2(region)
    name = wanted.get("LaunchTemplateName")
    key = wanted.get("LaunchTemplateId") or backend.launch_template_name_to_ids.get(name or "")
    found = backend.launch_templates.get(key or "")
    if found is None:
        called = f"with ID {key}" if key else f"named {name}"
        raise invalid(f"{_PREFIX} The specified launch template, {called}, does not exist.")
    version = wanted.get("Version") or "$Default"
    try:
        at = found.get_version(version)
    except (ServiceException, ValueError) as error:
        raise invalid(
            f"{_PREFIX} Could not find the specified version {version} for the launch template "
            f"with ID {found.id}."
        ) from error
    return Template(found.id, found.name, int(at.number)), at.data


def plan(group: Group) -> Plan:
    """Decide what a group launches now.

    Raises:
        ServiceException: Its template or version is gone.
    """
    template, data = resolve(group.region, specification(group.settings))
    return Plan(template, data, types_of(group.settings, data))


def types_of(settings: dict[str, Any], data: dict[str, Any]) -> tuple[str, ...]:
    """Return the instance types that a group may launch."""
    mixed = settings.get("MixedInstancesPolicy") or {}
    overrides = (mixed.get("LaunchTemplate") or {}).get("Overrides") or []
    named = tuple(str(one["InstanceType"]) for one in overrides if one.get("InstanceType"))
    return named or ((str(data["InstanceType"]),) if data.get("InstanceType") else ())


def check(region: str, settings: dict[str, Any], subnets: list[str]) -> None:
    """Refuse a group whose launches could never work, as AWS's dry run does.

    Raises:
        ServiceException: With AWS's words.
    """
    _, data = resolve(region, specification(settings))
    backend = ec2(region)
    types = types_of(settings, data)
    if not types:
        raise invalid(f"{_PREFIX} The request must contain the parameter InstanceType")
    if settings.get("MixedInstancesPolicy") and data.get("InstanceMarketOptions"):
        raise invalid(
            "Incompatible launch template: You cannot use a launch template that is set to "
            "request Spot Instances (InstanceMarketOptions) when you configure an Auto Scaling "
            "group with a mixed instances policy."
        )
    architecture = _architecture(backend, data)
    for name in types:
        facts = INSTANCE_TYPES.get(name)
        if facts is None:
            raise invalid(f"{_PREFIX} Invalid value '{name}' for InstanceType.")
        if architecture not in facts["ProcessorInfo"]["SupportedArchitectures"]:
            raise invalid(
                f"{_PREFIX} The architecture '{architecture}' of the specified AMI does not match "
                f"the architecture of the specified instance type '{name}'."
            )
    _check_groups(backend, data, subnets)
    _check_profile(data)


def _architecture(backend: EC2Backend, data: dict[str, Any]) -> str:
    image = backend.amis.get(data.get("ImageId", ""))
    if not data.get("ImageId"):
        raise invalid(f"{_PREFIX} The request must contain the parameter ImageId")
    if image is None:
        raise invalid(f"{_PREFIX} The image id '[{data['ImageId']}]' does not exist")
    return str(image.architecture)


def security_groups(data: dict[str, Any]) -> list[str]:
    """Return the security groups of an instance's first interface."""
    interfaces = data.get("NetworkInterfaces") or []
    first = [one for one in interfaces if int(one.get("DeviceIndex", 0)) == 0]
    named = first[0].get("Groups") if first else data.get("SecurityGroupIds")
    return [str(one) for one in named or []]


def _check_groups(backend: EC2Backend, data: dict[str, Any], subnets: list[str]) -> None:
    if data.get("NetworkInterfaces") and data.get("SecurityGroupIds"):
        raise invalid(
            f"{_PREFIX} Network interfaces and an instance-level security groups may not be "
            "specified on the same request"
        )
    named = list(data.get("SecurityGroupIds") or [])
    for interface in data.get("NetworkInterfaces") or []:
        named += interface.get("Groups") or []
    for key in named:
        found = backend.get_security_group_from_id(key)
        if found is None:
            raise invalid(f"{_PREFIX} The security group '{key}' does not exist")
        for subnet in subnets:
            if backend.get_subnet(subnet).vpc_id != found.vpc_id:
                raise invalid(
                    f"{_PREFIX} Security group {key} and subnet {subnet} belong to different "
                    "networks."
                )


def _check_profile(data: dict[str, Any]) -> None:
    wanted = data.get("IamInstanceProfile") or {}
    name = wanted.get("Name") or str(wanted.get("Arn", "")).rpartition("/")[2]
    if name and profile_arn(name) is None:
        raise invalid(
            f"{_PREFIX} Value ({name}) for parameter iamInstanceProfile.name is invalid. "
            "Invalid IAM Instance Profile name"
        )


def profile_arn(name: str) -> str | None:
    """Return the ARN of an instance profile, None if there is none of that name."""
    profiles = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].instance_profiles
    for found in profiles.values():
        if found.name == name:
            return str(found.arn)
    return None
