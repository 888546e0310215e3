"""What is wrong in a stack file, and how that is said.

A problem names the key, says what is wrong with it and what to write instead. Nothing here knows
which settings exist.
"""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Place = tuple[str, ...]
"""Keys on the way to a value: `("groups", "gpu", "maxWorkers")`."""

_LONGEST_QUOTE = 40
_NEAR = 0.6


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        key: Where it is, as a path: `resources.GPU`, `packages[1]`.
        problem: What is wrong there.
        remedy: What to write instead.
        rule: The cross-field rule that found it; empty where the value alone is wrong.
    """

    key: str
    problem: str
    remedy: str
    rule: str = ""


class WrongValueError(ValueError):
    """A value that cannot be read; pydantic adds the key and carries it to the loader."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


class SettingsError(Exception):
    """Everything that is wrong with the settings of a stack, found in one go.

    Deliberately not a `ValueError`: pydantic would wrap it and lose the list.

    Attributes:
        problems: What is wrong, in the order of the stack file.
        source: The file, or another name of where the settings come from.
        unreadable: The settings could not even be looked at.
    """

    def __init__(
        self, problems: Sequence[Problem], *, source: str = "", unreadable: bool = False
    ) -> None:
        super().__init__()
        self.problems = tuple(problems)
        self.source = source or "The settings"
        self.unreadable = unreadable

    def __str__(self) -> str:
        count = len(self.problems)
        headline = f"{count} settings are wrong" if count > 1 else "1 setting is wrong"
        if self.unreadable:
            headline = "this file cannot be read"
        width = max((len(each.key) for each in self.problems), default=0) + 4
        rows = (f"  {each.key:<{width}}{each.problem}. {each.remedy}" for each in self.problems)
        return "\n".join([f"{self.source}: {headline}", *rows])


def show(value: object) -> str:
    """Quote a value for a message: short, on one line, and never the inside of a collection."""
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return text if len(text) <= _LONGEST_QUOTE else f'{text[: _LONGEST_QUOTE - 4]}..."'
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, int | float):
        return repr(value)
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def path(*parts: str | int) -> str:
    """Write down where something stands: `resources.GPU`, `packages[1]`."""
    return "".join(f"[{each}]" if isinstance(each, int) else f".{_part(each)}" for each in parts)[
        1:
    ]


def _part(name: str) -> str:
    return name if name.isprintable() and 0 < len(name) <= _LONGEST_QUOTE else show(name)


def did_you_mean(word: str, known: Iterable[str], *, near: float = _NEAR) -> str | None:
    """Return the known word that is closest to this one, however it is cased or hyphenated."""
    folded = {_fold(each): each for each in known}
    found = difflib.get_close_matches(_fold(word), folded, n=1, cutoff=near)
    return folded[found[0]] if found else None


def _fold(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")
