"""The names of groups of workers: parts of the names of processes, `<group>-<n>-<m>`."""

import re

DEFAULT = "worker"
"""The group whose keys stand at the top of a stack file."""

GROUPS = "groups"
"""The key below which all other groups stand."""

LONGEST = 20

# What a name must not be, with the reason.
_TAKEN = {
    DEFAULT: "this is the name of the default group, whose keys stand at the top",
    "scheduler": "this is the name of the scheduler",
}
_LETTERS = re.compile(rf"[a-z](?:[a-z0-9-]{{0,{LONGEST - 2}}}[a-z0-9])?")
_ONLY_DIGITS = re.compile(r"-+(?=[0-9]+(?:-|$))")

PATTERN = rf"^(?!(?:{'|'.join(_TAKEN)})$)(?!.*{_ONLY_DIGITS.pattern}){_LETTERS.pattern}$"
"""What an editor is told about a name."""


def wrong(name: str) -> tuple[str, str] | None:
    """Return what is wrong with a name and what to write instead, or nothing."""
    if name in _TAKEN:
        return _TAKEN[name], "Write another name, for example `gpu`."
    if not _LETTERS.fullmatch(name):
        remedy = (
            f"Write at most {LONGEST} of a-z, 0-9 and `-`, with a letter first and no `-` last, "
            "for example `gpu`."
        )
        return "this is no name for a group", remedy
    if _ONLY_DIGITS.search(name):
        problem = "a part of only digits reads like the number of a worker"
        return problem, f"Write for example `{_ONLY_DIGITS.sub('', name)}`."
    return None
