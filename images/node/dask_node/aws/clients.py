"""Clients of AWS, and the place of this cluster on it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Nothing waits long for a call that is made again soon anyway.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=10
)


def client(service: str, region: str) -> Any:  # noqa: ANN401  # boto3 makes its classes at run time
    """Return a client; credentials and endpoints come from the standard chain and variables."""
    return boto3.session.Session().client(service, region_name=region, config=_CONFIG)


def place(fleet: str) -> tuple[str, str]:
    """Return region and cluster of `aws:<region>/<cluster>`.

    Raises:
        ValueError: It is not of that form.
    """
    region, slash, cluster = fleet.removeprefix("aws:").partition("/")
    if not fleet.startswith("aws:") or not (region and slash and cluster):
        raise ValueError(f"{fleet!r} is not of the form aws:<region>/<cluster>.")
    return region, cluster


@contextmanager
def calling(what: str) -> Iterator[None]:
    """Make calls to AWS.

    Args:
        what: What they do, for people.

    Raises:
        OSError: AWS cannot be reached, or refuses.
    """
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise OSError(f"AWS: {what}: {error}") from error
