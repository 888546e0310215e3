"""Bucket policies that demand TLS, which moto takes for policies that deny everything.

moto looks at no condition. What is on loopback stands for what comes by TLS on AWS, so a statement
that applies only without it applies to nothing here.
"""

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

from sandbox.aws.server.repairs.patching import replace

_WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}


def apply() -> None:
    """Let buckets weigh that condition."""
    replace(FakeBucket, "get_permission", _permission)


def _permission(bucket: FakeBucket, action: str, resource: str) -> Any:  # noqa: ANN401
    policy = json.loads(bucket.policy or b'{"Statement": []}')
    statements = policy["Statement"]
    statements = statements if isinstance(statements, list) else [statements]
    weighed = [each for each in statements if each.get("Condition") != _WITHOUT_TLS]
    if not weighed:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps(policy | {"Statement": weighed})).is_action_permitted(
        action, resource
    )
