"""Replaces a method of one of moto's classes."""

from collections.abc import Callable
from typing import Any


def replace(owner: type, name: str, method: Callable[..., Any]) -> None:
    """Put a method of ours in place of moto's.

    Args:
        owner: moto's class.
        name: The method.
        method: Ours.

    Raises:
        AttributeError: moto has no such method any more: this repair needs a look.
    """
    if not hasattr(owner, name):
        raise AttributeError(f"moto's {owner.__name__} has no {name}: its repair needs a look")
    setattr(owner, name, method)


def add(owner: type, name: str, method: Callable[..., Any]) -> None:
    """Give one of moto's classes a method that it lacks.

    Raises:
        AttributeError: moto has it by now: this repair may not be needed any more.
    """
    if hasattr(owner, name):
        raise AttributeError(f"moto's {owner.__name__} has {name} now: look at this repair")
    setattr(owner, name, method)
