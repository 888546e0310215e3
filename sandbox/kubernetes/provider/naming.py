"""Names that Check chooses, as the real provider does: the program's and eight hex digits."""

import hashlib
from typing import Final

from engine.values import Properties, Unknown
from sandbox.kubernetes.provider.objects import AUTONAMED, annotated, at, metadata

_DIGITS: Final = 8


def named(inputs: Properties, olds: Properties, name: str, seed: bytes) -> None:
    """Name an object whose program does not, in place; the recorded name while it lives."""
    if at(inputs, "metadata", "name") or at(inputs, "metadata", "generateName"):
        return
    if annotated(olds, AUTONAMED):
        chosen = metadata(olds, "name")
    elif olds:
        return
    else:
        digits = hashlib.sha256(seed + name.encode()).hexdigest()[:_DIGITS]
        chosen = f"{name}-{digits}"
    about = inputs.setdefault("metadata", {})
    about["name"] = chosen
    if not isinstance(about.get("annotations"), Unknown):
        about.setdefault("annotations", {})[AUTONAMED] = "true"
