"""Every object as the schemas of Kubernetes want it, of each version that people still run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
from kubernetes_validate.utils import all_versions
from packaging.version import Version

from tests.graph.kubernetes.manifests import manifests
from tests.graph.kubernetes.variations import ALL, SHIPPED, variation
from tests.running import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# `unhealthyPodEvictionPolicy`, port ranges and the rest are there from here on without a switch.
OLDEST = (1, 30)
VERSIONS = sorted(
    {v for v in all_versions() if tuple(map(int, v.split(".")[:2])) >= OLDEST}, key=Version
)
# With all kinds of objects and all forms that a value has.
STACKS = (
    f"Pulumi.{SHIPPED}.yaml",
    *("plain", "sizes", "processes", "scaler", "node-port", "everything"),
)


def test_there_are_versions() -> None:
    assert len(VERSIONS) >= 7


def test_every_kind_is_looked_at() -> None:
    every, looked_at = (
        {m["kind"] for stack in stacks for m in manifests(ALL[stack]())} for stacks in (ALL, STACKS)
    )
    assert every == looked_at
    assert len(every) == 12


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(version: str) -> None:
    """Strict: a field that the schema does not know is an error, as a misspelled one would be."""
    different = {json.dumps(m, sort_keys=True) for s in STACKS for m in manifests(ALL[s]())}
    assert len(different) > 50
    for manifest in different:
        kubernetes_validate.validate(json.loads(manifest), version, strict=True)


@pytest.mark.parametrize("stack", ALL)
def test_nothing_is_empty(stack: str) -> None:
    """Kubernetes does not keep an empty list or mapping, so each `up` would see a change."""
    for manifest in manifests(ALL[stack]()):
        assert not list(_empty(manifest)), manifest["metadata"]["name"]


def _empty(value: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401  # JSON
    if value in ({}, [], None):
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _empty(each, f"{path}.{key}")
    if isinstance(value, list):
        for each in value:
            yield from _empty(each, f"{path}[]")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_object_is_not(version: str) -> None:
    (deployment, *_) = [m for m in manifests(variation("plain")) if m["kind"] == "Deployment"]
    deployment["spec"]["replikas"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="replikas"):
        kubernetes_validate.validate(deployment, version, strict=True)


def test_the_docs_name_the_oldest() -> None:
    oldest = ".".join(map(str, OLDEST))
    for name, words in (("README.md", "from {} on"), ("docs/kubernetes.md", "{} or newer")):
        assert words.format(oldest) in (ROOT / name).read_text()
