"""The SDK of the package `fake`, as small as one can be: it is copied beside each program."""

from __future__ import annotations

import json
from typing import Any

import pulumi

VERSION = "1.2.3"


def _with_version(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    # Generated SDKs do the same: their version picks the plugin and names the default provider.
    return pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=VERSION), opts)


class Thing(pulumi.CustomResource):
    """A thing in the cloud; `handle` and `token` are known once it exists."""

    value: pulumi.Output[Any]
    handle: pulumi.Output[str]
    token: pulumi.Output[str]
    leaked: pulumi.Output[str]

    def __init__(
        self, name: str, *, opts: pulumi.ResourceOptions | None = None, **inputs: pulumi.Input[Any]
    ) -> None:
        computed = {"value": None, "handle": None, "token": None, "leaked": None}
        super().__init__("fake:index:Thing", name, {**computed, **inputs}, _with_version(opts))


class Provider(pulumi.ProviderResource):
    """An explicit provider; as in every SDK, what is not a string travels as JSON."""

    def __init__(
        self, name: str, *, opts: pulumi.ResourceOptions | None = None, **inputs: pulumi.Input[Any]
    ) -> None:
        config = {
            key: value
            if isinstance(value, str)
            else pulumi.Output.from_input(value).apply(
                lambda found: found if isinstance(found, str) else json.dumps(found)
            )
            for key, value in inputs.items()
        }
        super().__init__("fake", name, config, _with_version(opts))


def lookup(key: str, opts: pulumi.InvokeOptions | None = None) -> str:
    """Look a key up in the catalogue, at once."""
    merged = pulumi.InvokeOptions.merge(pulumi.InvokeOptions(version=VERSION), opts)
    found = pulumi.runtime.invoke("fake:index:lookup", {"key": key}, merged).value
    return str(found["value"])


def lookup_output(key: pulumi.Input[str]) -> pulumi.Output[str]:
    """Look a key up that may become known only later."""
    found = pulumi.runtime.invoke_output(
        "fake:index:lookup", {"key": key}, pulumi.InvokeOutputOptions(version=VERSION)
    )
    return found.apply(lambda answer: str(answer["value"]))
