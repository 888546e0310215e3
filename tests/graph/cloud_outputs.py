"""What the clouds would answer: ids, ARNs and names in their forms, alike for the same resource."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACCOUNT = "123456789012"

Inputs = dict[str, Any]

# The beginning of an id; the rest are 17 hex digits.
_PREFIXES = {
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/internetGateway:InternetGateway": "igw",
    "aws:ec2/eip:Eip": "eipalloc",
    "aws:ec2/natGateway:NatGateway": "nat",
    "aws:ec2/routeTable:RouteTable": "rtb",
    "aws:ec2/route:Route": "r",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "rtbassoc",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpce",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "sg",
    "aws:ec2/securityGroup:SecurityGroup": "sg",
    "aws:ec2/flowLog:FlowLog": "fl",
    "aws:ec2/launchTemplate:LaunchTemplate": "lt",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "sgr",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "sgr",
    "aws:efs/fileSystem:FileSystem": "fs",
    "aws:efs/mountTarget:MountTarget": "fsmt",
    "aws:fsx/lustreFileSystem:LustreFileSystem": "fs",
}
# Types whose id is their ARN, or that have one besides: service and resource, `{}` is the name.
_ARNS = {
    "aws:autoscaling/group:Group": "autoscaling:autoScalingGroup:uuid:autoScalingGroupName/{}",
    "aws:autoscaling/policy:Policy": "autoscaling:scalingPolicy:{}",
    "aws:cloudwatch/logGroup:LogGroup": "logs:log-group:{}",
    "aws:iam/instanceProfile:InstanceProfile": "iam:instance-profile/{}",
    "aws:iam/policy:Policy": "iam:policy/{}",
    "aws:iam/role:Role": "iam:role/{}",
    "aws:route53/zone:Zone": "route53:hostedzone/{}",
    "aws:s3/bucketObjectv2:BucketObjectv2": "s3:{}",
    "aws:secretsmanager/secret:Secret": "secretsmanager:secret:{}",
    "aws:sns/topic:Topic": "sns:{}",
    "aws:ssm/parameter:Parameter": "ssm:parameter{}",
}
_GLOBAL = {"iam", "route53", "s3"}


def answer(type_: str, name: str, inputs: Inputs, region: str) -> tuple[str, Inputs]:
    """Return a resource's id and its outputs.

    Args:
        type_: Token of its type.
        name: Its name in the program.
        inputs: As they were registered, without secrets around them.
        region: Of the provider.
    """
    digits = hashlib.sha256(f"{type_} {name}".encode()).hexdigest()
    given = inputs.get("name") or inputs.get("key") or f"{name}-{digits[:7]}"
    outputs = {**inputs, "name": given}
    if type_ in _ARNS:
        service, _, resource = _ARNS[type_].partition(":")
        place = ":" if service in _GLOBAL else f"{region}:{ACCOUNT}"
        place = f":{ACCOUNT}" if service == "iam" else place
        outputs["arn"] = f"arn:aws:{service}:{place}:{resource.format(given)}"
    id_ = f"{_PREFIXES[type_]}-{digits[:17]}" if type_ in _PREFIXES else given
    if type_.startswith("kubernetes:"):
        outputs |= _object(inputs, digits)
    elif type_ in _MORE:
        outputs |= _MORE[type_](outputs, digits)
    return str(outputs.pop("id", id_)), outputs


def _pem(kind: str, digits: str) -> str:
    return f"-----BEGIN {kind}-----\n{digits}\n-----END {kind}-----\n"


def _issued(_inputs: Inputs, digits: str) -> Inputs:
    return {
        "certificate": _pem("CERTIFICATE", digits),
        # Under Pulumi the option `additional_secret_outputs` makes it one: the recorder looks.
        "private_key": _pem("PRIVATE KEY", digits),
        "expires": "2027-11-21T00:00:00+00:00",
    }


def _lustre(_inputs: Inputs, digits: str) -> Inputs:
    host = f"fs-{digits[:17]}.fsx.us-east-2.amazonaws.com"
    return {"dnsName": host, "mountName": digits[:8]}


def _zone(_inputs: Inputs, digits: str) -> Inputs:
    id_ = f"Z{digits[:20].upper()}"
    return {"id": id_, "zoneId": id_, "arn": f"arn:aws:route53:::hostedzone/{id_}"}


def _image(_inputs: Inputs, digits: str) -> Inputs:
    id_ = f"ami-{digits[:17]}"
    return {"id": id_, "image": id_}


def _locked(inputs: Inputs, _digits: str) -> Inputs:
    # Another list of extra packages is another environment; the same one in every checkout.
    extra = "\n".join(f"{each} --hash=sha256:00" for each in inputs["packages"])
    identity = hashlib.sha256(extra.encode()).hexdigest()[:16]
    return {"identity": identity if extra else inputs["recipe"], "requirements": extra}


def _pushed(inputs: Inputs, _digits: str) -> Inputs:
    # Another image for whatever else the provider would build, but for our own files.
    parts = ("repository", "base_image", "requirements", "target")
    made = hashlib.sha256(str([inputs[part] for part in parts]).encode()).hexdigest()
    return {"reference": f"{inputs['repository']}@sha256:{made}"}


def _object(inputs: Inputs, _digits: str) -> Inputs:
    """Answer as Kubernetes: an object is known by its namespace and its name."""
    about = inputs["metadata"]
    return {"id": "/".join(about[key] for key in ("namespace", "name") if key in about)}


_MORE: Mapping[str, Callable[[Inputs, str], Inputs]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": lambda *_: {"latestVersion": 1},
    "aws:fsx/lustreFileSystem:LustreFileSystem": _lustre,
    "aws:route53/zone:Zone": _zone,
    "aws:s3/bucket:Bucket": lambda outputs, _: {
        "bucket": outputs["name"],
        "arn": f"arn:aws:s3:::{outputs['name']}",
    },
    "aws:s3/bucketObjectv2:BucketObjectv2": lambda outputs, _: {
        "arn": f"arn:aws:s3:::{outputs['bucket']}/{outputs['key']}"
    },
    "aws:secretsmanager/secret:Secret": lambda outputs, _: {"id": outputs["arn"]},
    "aws:secretsmanager/secretVersion:SecretVersion": lambda outputs, _: {
        "secretArn": outputs["secretId"]
    },
    "aws:sns/topic:Topic": lambda outputs, _: {"id": outputs["arn"]},
    "pulumi-python:dynamic/certificates:Authority": _issued,
    "pulumi-python:dynamic/certificates:Certificate": _issued,
    "pulumi-python:dynamic/environment:LockedEnvironment": _locked,
    "pulumi-python:dynamic/image:EnvironmentImage": _pushed,
    "pulumi-python:dynamic/kubernetes:Token": lambda _, digits: {"token": f"TOKEN {digits}"},
    "pulumi-python:dynamic/machine_image:MachineImage": _image,
}
