"""What of a stack's messages could be read by whoever sees them."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph.recorder import Graph, Resource

KEY = "PRIVATE KEY"


def in_clear(value: Any) -> Iterator[str]:  # noqa: ANN401  # JSON
    """Yield the texts of a message of Pulumi's that are not marked as secret."""
    if isinstance(value, dict):
        if value.get(_special_sig_key) == _special_secret_sig:
            return
        for key, each in value.items():
            yield key
            yield from in_clear(each)
    elif isinstance(value, list):
        for each in value:
            yield from in_clear(each)
    elif isinstance(value, str):
        yield from _decoded(value)


def _decoded(text: str) -> Iterator[str]:
    """Yield a text, and what it stands for in base64."""
    yield text
    if len(text) > 40 and re.fullmatch(r"[A-Za-z0-9+/\n]+=*", text):
        yield base64.b64decode(text).decode(errors="replace")


def messages(graph: Graph) -> Iterator[tuple[Resource, Any]]:
    for resource in graph.resources:
        yield resource, json_format.MessageToDict(resource.request)
