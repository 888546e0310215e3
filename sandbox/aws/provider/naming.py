"""Names that Check chooses, as Pulumi does: the program's name and seven hex digits."""

import hashlib

from engine.values import Properties
from sandbox.aws.provider.table import Auto

DEFAULTS = "__defaults"
"""Which inputs were chosen and not given; Pulumi keeps it in the state under this key."""


def chosen(auto: Auto, name: str, olds: Properties, news: Properties, seed: bytes) -> str:
    """The name of a resource whose program gives none; the recorded one while it lives."""
    if auto.key in (olds.get(DEFAULTS) or []) and olds.get(auto.key):
        return str(olds[auto.key])
    if not auto.digits:
        return name[: auto.longest]
    digits = hashlib.sha256(seed + name.encode()).hexdigest()[: auto.digits]
    suffix = ".fifo" if news.get("fifoTopic") is True else ""
    base = name.lower() if auto.lower else name
    return f"{base[: auto.longest - auto.digits - 1 - len(suffix)]}-{digits}{suffix}"


def given(auto: Auto | None, olds: Properties, news: Properties) -> bool:
    """Whether the program names the resource itself, and by the same name as before.

    The new one could then not exist beside the old one.
    """
    if auto is None or auto.key in (news.get(DEFAULTS) or []):
        return False
    return bool(news.get(auto.key)) and news.get(auto.key) == olds.get(auto.key)
