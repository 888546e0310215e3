"""The name of a stack where it is part of other names with narrow rules."""

from __future__ import annotations

import re

import pulumi


def checked_stack_name(*, where: str, part_of: str) -> str:
    """Return the stack's name.

    Args:
        where: What has the rules, such as ``on AWS``.
        part_of: What the name is part of there, for people.

    Raises:
        pulumi.RunError: It does not fit there.
    """
    stack = pulumi.get_stack()
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}(?<!-)", stack):
        raise pulumi.RunError(
            f"a stack called {stack!r} cannot be {where}: its name is part of {part_of}. Use at "
            "most 20 small letters, digits and hyphens between them."
        )
    return stack
