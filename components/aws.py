"""What several parts of a cluster on AWS need to know of AWS itself."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

# The key of the tag that everything of a cluster bears; its value is the stack's name.
CLUSTER_TAG = "dask-cluster"

_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "eusc-": "aws-eusc"}


def partition(region: str) -> str:
    """Return the partition of a region: the second word of every ARN in it.

    Source: "Partitions" in the AWS Fault Isolation Boundaries whitepaper.
    """
    return next((p for start, p in _PARTITIONS.items() if region.startswith(start)), "aws")


def client(service: str, region: str) -> Any:  # noqa: ANN401  # boto3 makes its classes at run time
    """Return a boto3 client for a dynamic resource.

    Credentials, profile and endpoint are those of AWS's standard chain and variables, which the
    provider plugin reads too: both talk to the same account.
    """
    retries = Config(retries={"mode": "standard", "max_attempts": 6})
    return boto3.client(service, region_name=region, config=retries)
