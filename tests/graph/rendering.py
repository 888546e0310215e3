"""A graph as people read it: by component, ids as the names of what they are ids of."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph.recorder import Graph, Resource

Rendered = dict[str, Any]

# Outputs that other resources are given; what a resource is called, the stack file says.
_ALIASES = ("id", "arn", "name", "bucket", "certificate", "private_key", "dnsName", "mountName")
_SHORTEST_ALIAS = 8
# Hashes of what is under `images/`, by their keys.
_HASHES = {
    "jupyter": re.compile("[0-9a-f]{64}"),
    "revision": re.compile("[0-9a-f]{16}"),
    "dask-cluster/fingerprint": re.compile("[0-9a-f]{16}"),
}
_PARAMETERS = re.compile(r"<<'END'\n(.*?)\nEND\n", re.DOTALL)


def rendered(graph: Graph) -> dict[str, Rendered]:
    """Return the inputs and options of all resources, by component and then by resource.

    Left out or replaced: what depends on this checkout, ids, pickled providers.
    """
    found: dict[str, Rendered] = {}
    names = dict(_names(graph))
    for resource in graph.resources:
        entry = _entry(graph, resource)
        component = _component(graph, resource)
        label = _short(resource)
        found.setdefault(component, {})[label] = _replaced(entry, names)
    return found


def boot_parameters(user_data: str) -> dict[str, str]:
    """Return what a host is told in its user data (base64), without the script around it."""
    text = base64.b64decode(user_data).decode()
    (block,) = _PARAMETERS.findall(text)[:1]
    pairs = (line.partition("=") for line in block.splitlines())
    return {name: value.strip("'") for name, _, value in pairs}


def _component(graph: Graph, resource: Resource) -> str:
    """Return the name of the part of a cluster to which a resource belongs."""
    above = [resource, *graph.parents(resource)]
    ours = ("dask-cluster:aws:", "dask-cluster:kubernetes:", "dask-cluster:platforms:")
    parts = [each for each in above if each.type.startswith(ours)]
    return parts[0].type.rpartition(":")[2] if parts else _platform(graph)


def _platform(graph: Graph) -> str:
    """Return the component of what stands above it: the provider, and the cluster itself."""
    (platform,) = graph.of("platforms:Vm", "platforms:Kubernetes")
    return platform.type.rpartition(":")[2]


def _short(resource: Resource) -> str:
    module, _, type_ = resource.type.rpartition(":")
    package = module.rpartition("/")[0].rpartition(":")[2]
    return f"{package}.{type_} {resource.name}" if package else f"{type_} {resource.name}"


def _names(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield every output that is known by its look, and what to write for it; longest first."""
    seen: dict[str, str] = {}
    # On Kubernetes the program chooses all names, and there are no ids.
    for resource in (each for each in graph.resources if not each.is_kubernetes):
        for key in _ALIASES:
            value = str(resource.outputs.get(key, ""))
            # A name that the program chose is itself to be seen.
            chosen = value in (resource.inputs.get(key), resource.inputs.get("name"))
            if len(value) >= _SHORTEST_ALIAS and not chosen:
                seen.setdefault(value, f"<{key} of {_short(resource)}>")
    yield from sorted(seen.items(), key=lambda pair: -len(pair[0]))


def _entry(graph: Graph, resource: Resource) -> Rendered:
    inputs = {k: v for k, v in resource.inputs.items() if k not in ("__provider", "project")}
    if "userData" in inputs:
        inputs["userData"] = boot_parameters(inputs["userData"])
    if "contentBase64" in inputs:
        inputs["contentBase64"] = "<the archive>"
    if "dask.yaml" in inputs.get("data", {}):
        inputs["data"] = {"dask.yaml": yaml.safe_load(inputs["data"]["dask.yaml"])}
    if "recipe" in inputs:
        inputs["recipe"] = "<identity>"
    options = dict(_options(graph, resource))
    return {"inputs": inputs, **({"options": options} if options else {})}


def _options(graph: Graph, resource: Resource) -> Iterator[tuple[str, Any]]:
    request = resource.request
    by_properties = {urn for each in request.propertyDependencies.values() for urn in each.urns}
    explicit = [urn for urn in request.dependencies if urn not in by_properties]
    if explicit:
        yield "dependsOn", sorted(_short(graph.by_urn[urn]) for urn in explicit)
    for name in ("ignoreChanges", "replaceOnChanges", "additionalSecretOutputs"):
        if values := list(getattr(request, name)):
            yield name, values
    for name in ("protect", "deleteBeforeReplace", "retainOnDelete"):
        if getattr(request, name):
            yield name, True
    for verb in ("create", "update", "delete"):
        if timeout := getattr(request.customTimeouts, verb):
            yield f"{verb}Timeout", timeout


def _replaced(value: Any, names: dict[str, str]) -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, dict):
        return {
            key: f"<{key}>" if _is_hash(key, each) else _replaced(each, names)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_replaced(each, names) for each in value]
    if not isinstance(value, str):
        return value
    for known, name in names.items():
        value = value.replace(known, name)
    value = re.sub(r"archive/[0-9a-f]{64}", "archive/<sha256>", value)
    if value.startswith("{") and value.endswith("}") and value != "{}":
        return {"JSON": json.loads(value)}
    return value


def _is_hash(key: str, value: object) -> bool:
    return key in _HASHES and isinstance(value, str) and bool(_HASHES[key].fullmatch(value))
