"""What providers answer: results, failed checks, diffs, and errors of several kinds.

Follows pulumi/sdk/go/common/resource/plugin/provider_plugin.go.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.proto.status_pb2 import Status

from engine.diffs import Diff, changed_keys, changed_paths, ignore_changes
from engine.errors import EngineError
from engine.values import Properties, from_wire


class ProviderError(EngineError):
    """A provider refused or failed; the message is its own, without a traceback."""


@dataclass
class Answer:
    """What Create, Update or Read gave.

    Attributes:
        id: The resource's id; empty after a Read means that it is gone.
        outputs: Its outputs.
        inputs: The inputs that match the outputs, where a Read says so.
        init_errors: Why it exists but is not ready.
    """

    id: str
    outputs: Properties
    inputs: Properties | None = None
    init_errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Failure:
    """One fault that Check found; `property` may be empty."""

    property: str
    reason: str


def failures_of(response: Any) -> list[Failure]:  # noqa: ANN401 - of Check, CheckConfig or Invoke
    """The faults that a response tells."""
    return [Failure(item.property, item.reason) for item in response.failures]


def answer_of(response: Any) -> Answer:  # noqa: ANN401
    """The result in the response of Create, Update or Read, or in ErrorResourceInitFailed."""
    fields = response.DESCRIPTOR.fields_by_name
    has_inputs = "inputs" in fields and response.HasField("inputs")
    return Answer(
        id=getattr(response, "id", ""),
        outputs=from_wire(response.properties),
        inputs=from_wire(response.inputs) if has_inputs else None,
        init_errors=list(getattr(response, "reasons", ())),
    )


def last_message(details: str) -> str:
    """What the last exception of a Python traceback says; other texts stay as they are.

    The dynamic provider answers with a whole traceback (pulumi/dynamic/__main__.py).
    """
    if not details.lstrip().startswith("Traceback (most recent call last):"):
        return details
    lines = details.rstrip().splitlines()
    # The message begins at the last unindented line that a frame, or the caret under it, precedes.
    start = next(
        (
            i
            for i in range(len(lines) - 1, 0, -1)
            if re.match(r"[A-Za-z_][\w.]*(?::|$)", lines[i])
            and lines[i - 1].startswith("  ")
            and _ends_frame(lines, i - 1)
        ),
        len(lines) - 1,
    )
    message = "\n".join(lines[start:])
    name, colon, rest = message.partition(": ")
    return rest if colon and re.fullmatch(r"[A-Za-z_][\w.]*", name) else message


def _ends_frame(lines: Sequence[str], index: int) -> bool:
    """Whether the indented block that ends here begins with a frame of a traceback."""
    while index >= 0 and lines[index].startswith("  "):
        if re.match(r'  File ".*", line \d+', lines[index]):
            return True
        index -= 1
    return False


def init_failed(error: grpc.RpcError) -> Any:  # noqa: ANN401 - a protobuf message, or None
    """The details of a resource that exists but is not ready, if that is what failed."""
    metadata: Any = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == "grpc-status-details-bin":
            status = Status()
            status.ParseFromString(value)
            for detail in status.details:
                message = provider_pb2.ErrorResourceInitFailed()
                if detail.Unpack(message):
                    return message
    return None


def decode_diff(
    response: provider_pb2.DiffResponse,
    old_inputs: Properties,
    news: Properties,
    ignored: Sequence[str],
) -> Diff:
    """What Diff came to; a provider that does not know leaves it to comparing inputs."""
    detailed = None
    if response.hasDetailedDiff:
        kind = provider_pb2.PropertyDiff.Kind
        replacing = (kind.ADD_REPLACE, kind.DELETE_REPLACE, kind.UPDATE_REPLACE)
        detailed = {path: d.kind in replacing for path, d in response.detailedDiff.items()}
    changed = tuple(response.diffs)
    changes = response.changes == provider_pb2.DiffResponse.DIFF_SOME
    if response.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN:
        kept, _ = ignore_changes(news, old_inputs, ignored)
        changed = changed_keys(old_inputs, kept)
        detailed = dict.fromkeys(changed_paths(old_inputs, kept), False)
        changes = bool(changed)
    return Diff(
        changes=changes,
        replace_keys=tuple(response.replaces),
        changed_keys=changed,
        detailed=detailed,
        delete_before_replace=response.deleteBeforeReplace,
    )
