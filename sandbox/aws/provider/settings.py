"""The provider's own configuration."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.values import Properties, Unknown, has_unknown, unwrap
from sandbox.aws.provider.aws import Aws, endpoints
from sandbox.provider_protocol import ProviderError

_USED: Final = frozenset(
    {"accessKey", "defaultTags", "endpoints", "profile", "region", "secretKey", "token"}
)
# What only matters against the real AWS, or is how boto3 behaves here anyway.
_WITHOUT_EFFECT: Final = frozenset(
    {
        "maxRetries", "retryMode", "s3UsePathStyle", "skipCredentialsValidation",
        "skipMetadataApiCheck", "skipRegionValidation", "skipRequestingAccountId", "version",
    }
)  # fmt: skip


def faults(inputs: Properties) -> Iterator[tuple[str, str]]:
    """What is wrong with a configuration, as property and sentence."""
    for key in inputs:
        if key not in _USED | _WITHOUT_EFFECT and not key.startswith("__"):
            yield key, f"{key} is not an input of the aws provider that this plugin knows"
    if has_unknown(inputs):
        return
    plain = decoded(unwrap(inputs))
    if not plain.get("region"):
        yield "region", "the aws provider needs a region: set aws:region or AWS_REGION"
    try:
        endpoints(plain.get("endpoints") or [])
    except ProviderError as error:
        yield "endpoints", str(error)


def decoded(inputs: Mapping[str, Any]) -> Properties:
    """The configuration with what the SDK writes as JSON texts read back."""
    plain: Properties = {}
    for key, value in inputs.items():
        structured = isinstance(value, str) and key in {"defaultTags", "endpoints"}
        plain[key] = json.loads(value) if structured else value
    return plain


def connect(inputs: Properties) -> Aws:
    """The clients of a configuration.

    Raises:
        ProviderError: It may not be used.
    """
    if found := list(faults(inputs)):
        raise ProviderError("; ".join(reason for _, reason in found))
    plain = decoded(inputs)
    return Aws(str(plain["region"]), plain)


def diff(olds: Properties, news: Properties) -> Iterator[tuple[str, bool]]:
    """Changed settings, and whether they replace everything: another region does."""
    before, after = unwrap(olds), unwrap(news)
    for key in sorted(_USED & {*before, *after}):
        if before.get(key) != after.get(key):
            known = not isinstance(after.get(key), Unknown)
            yield key, key == "region" and known
