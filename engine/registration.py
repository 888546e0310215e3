"""Reading a RegisterResource request, and refusing what this engine does not do."""

import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlparse

from pulumi.runtime.proto import resource_pb2

from engine.errors import EngineError
from engine.steps import Goal
from engine.values import from_wire

Request = resource_pb2.RegisterResourceRequest

# Fields that this engine does not carry out; one that is set is an error, never ignored.
_REFUSED: Final = {
    "importId": "the option import_ (adopting an existing resource)",
    "remote": "remote components",
    "aliasURNs": "the option aliases",
    "deletedWith": "the option deleted_with",
    "replace_with": "the option replace_with",
    "replacement_trigger": "the option replacement_trigger",
    "transforms": "the option transforms",
    "state_migrations": "the option state_migrations",
    "packageRef": "parameterized packages",
    "hooks": "the option hooks",
    "hideDiffs": "the option hide_diffs",
    "envVarMappings": "the option env_var_mappings",
    "pluginChecksums": "plugin checksums",
    "snippetId": "snippets",
    "parentStackTraceHandle": "components constructed by a provider",
}
# What remains: read below, or says something about the SDK and not about the resource.
_READ: Final = frozenset(
    {
        "type",
        "name",
        "parent",
        "custom",
        "object",
        "protect",
        "dependencies",
        "provider",
        "propertyDependencies",
        "deleteBeforeReplace",
        "deleteBeforeReplaceDefined",
        "version",
        "ignoreChanges",
        "additionalSecretOutputs",
        "customTimeouts",
        "providers",
        "replaceOnChanges",
        "pluginDownloadURL",
        "retainOnDelete",
        "sourcePosition",
        "aliases",
    }
)
_TOLD: Final = frozenset(
    {
        "acceptSecrets",
        "acceptResources",
        "accepts_byte_string",
        "supportsPartialValues",
        "supportsResultReporting",
        "aliasSpecs",
        "stackTrace",
    }
)
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_SECONDS: Final = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def refuse(request: Any, known: frozenset[str], refused: dict[str, str], what: str) -> None:  # noqa: ANN401
    """Refuse a request with a field that is not carried out.

    Raises:
        EngineError: The first such field.
    """
    for descriptor, value in request.ListFields():
        name = descriptor.name
        if name in known or (name == "hooks" and not value.ListFields()):
            continue
        option = refused.get(name, f"the field '{name}'")
        raise EngineError(
            f"{what} uses {option}, which this engine does not support; use Pulumi itself"
        )


def read_goal(request: Request, directory: Path) -> Goal:
    """What a registration asks for; the provider is not resolved yet.

    Raises:
        EngineError: It asks for something that this engine does not do.
    """
    refuse(request, _READ | _TOLD, _REFUSED, f"{request.type} resource '{request.name}'")
    inputs = from_wire(request.object)
    dependencies = list(request.dependencies)
    given = {key: list(item.urns) for key, item in request.propertyDependencies.items()}
    # A request that does not say which property needs what means that each needs all.
    needs = given or {key: dependencies for key in inputs if dependencies}
    before = request.deleteBeforeReplaceDefined or request.deleteBeforeReplace
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        inputs=inputs,
        parent=request.parent,
        dependencies=dependencies,
        property_dependencies={key: sorted(urns) for key, urns in needs.items() if urns},
        provider=request.provider,
        protect=request.protect if request.HasField("protect") else None,
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        delete_before_replace=request.deleteBeforeReplace if before else None,
        ignore_changes=list(request.ignoreChanges),
        replace_on_changes=list(request.replaceOnChanges),
        additional_secret_outputs=list(request.additionalSecretOutputs),
        custom_timeouts=_timeouts(request),
        source_position=_position(request.sourcePosition, directory),
        former_types=_former_types(request),
    )


def _former_types(request: Request) -> list[str]:
    """The types that the SDK says this one was called before; it does so for whole packages.

    Raises:
        EngineError: An alias of another kind, which a person has written.
    """
    for alias in request.aliases:
        # A part that is set to nothing is there all the same: protobuf's `oneof` keeps it.
        if {part.name for part, value in alias.spec.ListFields() if value} != {"type"}:
            what = f"{request.type} resource '{request.name}' uses the option aliases"
            raise EngineError(f"{what}, which this engine does not support; use Pulumi itself")
    return list(dict.fromkeys(alias.spec.type for alias in request.aliases))


def _timeouts(request: Request) -> dict[str, float]:
    given = {f.name: value for f, value in request.customTimeouts.ListFields()}
    return {name: seconds(value) for name, value in given.items() if value}


def seconds(text: str) -> float:
    """A duration of Go, as `5m` or `1h30m`, in seconds.

    Raises:
        EngineError: It is not one.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(a + b for a, b in parts) != text:
        raise EngineError(
            f'unable to parse customTimeout value {text!r}: write for example "5m" or "1h30m"'
        )
    total = sum(float(amount) * _SECONDS[unit] for amount, unit in parts)
    return int(total) if float(total).is_integer() else total


def _position(position: Any, directory: Path) -> str:  # noqa: ANN401
    path = Path(unquote(urlparse(position.uri).path)) if position.uri else None
    if path is None or not path.is_relative_to(directory):
        return ""
    column = f",{position.column}" if position.column else ""
    return f"project:///{path.relative_to(directory)}#{position.line}{column}"
