"""Policy documents of IAM, as text and as statements."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Statement = dict[str, Any]


def service_role_policy(service: str) -> str:
    """Return the document by which a service of AWS may take on a role."""
    return document([trust(service)])


def buckets(of: str, read: Sequence[str], write: Sequence[str]) -> list[Statement]:
    """Return what tasks may do with the user's own data."""
    statements = []
    for names, actions in (
        (read, ["s3:GetObject"]),
        (write, ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]),
    ):
        if names:
            objects = [f"arn:{of}:s3:::{name.rstrip('/')}/*" for name in names]
            statements.append(allow(actions, objects))
    names_of_buckets = {name.partition("/")[0] for name in (*read, *write)}
    if names_of_buckets:
        listing = ["s3:ListBucket", "s3:GetBucketLocation"]
        statements.append(
            allow(listing, [f"arn:{of}:s3:::{name}" for name in sorted(names_of_buckets)])
        )
    return statements


def allow(
    actions: Sequence[str], resources: Sequence[str], condition: Mapping[str, Any] | None = None
) -> Statement:
    """Return a statement that allows actions on resources."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return statement if condition is None else {**statement, "Condition": condition}


def trust(service: str) -> Statement:
    """Return a statement that lets a service of AWS take on a role."""
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}


def document(statements: Sequence[Statement]) -> str:
    """Return a policy's text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
