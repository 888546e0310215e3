"""The program of the scenarios: real classes of pulumi_aws, resources from a file.

In a text `${name.output}` is an output of another resource; `${account}` and `${ami}` are
looked up.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, TypeAlias

import pulumi
import pulumi_aws as aws

Value: TypeAlias = Any
DATA = json.loads(Path("resources.json").read_text())
AMI = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
PLACE = re.compile(r"\$\{(\w+)(?:\.(\w+))?\}")

provider = aws.Provider("aws", region="us-east-1", default_tags={"tags": DATA["tags"]})
with_provider = pulumi.InvokeOptions(provider=provider)
made: dict[str, Value] = {}


def placed(name: str, attribute: str | None) -> Value:
    if name == "account":
        return aws.get_caller_identity(opts=with_provider).account_id
    if name == "ami":
        return aws.ssm.get_parameter(name=AMI, opts=with_provider).value
    return getattr(build(name), str(attribute))


def value(given: Value) -> Value:
    if isinstance(given, dict):
        return {key: value(item) for key, item in given.items()}
    if isinstance(given, list):
        return [value(item) for item in given]
    if not isinstance(given, str) or not PLACE.search(given):
        return given
    if whole := PLACE.fullmatch(given):
        return placed(whole[1], whole[2])
    parts = [placed(found[1], found[2]) for found in PLACE.finditer(given)]
    return pulumi.Output.all(*parts).apply(
        lambda found: PLACE.sub(lambda _: str(found.pop(0)), given)
    )


def build(name: str) -> Value:
    if name not in made:
        entry = DATA["resources"][name]
        module, kind = entry["kind"].split(".")
        options = pulumi.ResourceOptions(provider=provider, **entry.get("options", {}))
        make = getattr(getattr(aws, module), kind)
        made[name] = make(name, opts=options, **value(entry["inputs"]))
    return made[name]


for each in DATA["resources"]:
    build(each)
