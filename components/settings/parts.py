"""How a key that is made of several keys is read, such as `vpc` or `jupyter`."""

from components.settings.keys import Keys
from components.settings.scalars import mapping


def part(value: object) -> object:
    """Read a key that is made of several, also from JSON text."""
    if isinstance(value, Keys):
        return value
    found = mapping(value)
    return {str(key): each for key, each in found.items()} if isinstance(found, dict) else found


def part_or_nothing(value: object) -> object:
    """Read such a key where nothing is nothing, and not one with its defaults."""
    nothing = value is None or (isinstance(value, str) and value.strip() in ("", "null"))
    return None if nothing else part(value)
