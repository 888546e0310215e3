"""The token with which a person comes into JupyterLab.

The provider lives in this importable module on purpose: do not rename the classes or the module.
"""

from __future__ import annotations

import secrets
from typing import Any

import pulumi
from pulumi import dynamic


class Token(dynamic.Resource, module="kubernetes", name="Token"):
    """A random token of 256 bits, made once: a secret in the state, and in clear nowhere.

    Attributes:
        token: URL-safe text.
    """

    token: pulumi.Output[str]

    def __init__(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=["token"])
        merged = pulumi.ResourceOptions.merge(opts, secret)
        super().__init__(_TokenProvider(), name, {"token": None}, merged)


class _TokenProvider(dynamic.ResourceProvider):
    def create(self, _props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(id_="token", outs={"token": secrets.token_urlsafe(32)})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        return dynamic.DiffResult(changes=False)
