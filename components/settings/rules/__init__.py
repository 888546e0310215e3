"""What must hold between the keys of a stack file.

A rule is a small function that yields problems and names the fields it looks at, of the whole stack
or of one group of workers. It runs as soon as those are right in themselves, however wrong the
others are, so that one run shows everything.
"""

# Imported to be in the list.
from components.settings.rules import (  # noqa: F401
    every_platform,
    kubernetes,
    local,
    vm_cluster,
    vm_network,
    vm_placement,
    vm_types,
)
from components.settings.rules.rule import RULES, Rule, check

__all__ = ["RULES", "Rule", "check"]
