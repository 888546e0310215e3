"""How words, lists and yes or no are read: more readers in the form of `scalars`."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from components.settings.problems import WrongValueError, did_you_mean, show
from components.settings.scalars import Json, Reads, or_json


def matching(
    pattern: str,
    *,
    problem: str,
    remedy: str,
    check: Callable[[str], str] = str,
) -> Reads:
    """Text of this form.

    Args:
        pattern: Of the whole text, in what Python and editors both understand.
        problem: What text of another form is: "is no ...".
        remedy: What to write instead.
        check: Looks closer at text of the right form, and returns it as it is kept.
    """

    def parse(value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        if not re.fullmatch(pattern, text, re.ASCII):
            raise WrongValueError(f"{show(value)} {problem}", remedy)
        return check(text)

    return Reads(parse, {"type": "string", "pattern": rf"^\s*(?:{pattern})\s*$"})


def one_of(*words: str) -> Reads:
    """One of a few words."""
    listed = " or ".join(f"`{each}`" for each in words)

    def parse(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        near = did_you_mean(value, words) if isinstance(value, str) else None
        remedy = f"Did you mean `{near}`?" if near else f"Write {listed}."
        raise WrongValueError(f"{show(value)} is not one of the words for this", remedy)

    return Reads(parse, {"enum": list(words)})


def _yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise WrongValueError(f"{show(value)} is neither yes nor no", "Write `true` or `false`.")


YES_OR_NO = Reads(_yes_or_no, {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}]})


def once(values: Sequence[Any]) -> Sequence[Any]:
    """Refuse a list in which something stands twice."""
    for index, each in enumerate(values):
        if each in values[:index]:
            raise WrongValueError(f"{show(each)} is written twice", "Keep one of the two.")
    return values


def at_most(most: int, what: str) -> Callable[[Any], Any]:
    """Refuse a collection of more than `most`; `what` names its members."""

    def check(values: Any) -> Any:  # noqa: ANN401
        if len(values) > most:
            raise WrongValueError(
                f"{len(values)} are too many {what}", f"Write at most {most} of them."
            )
        return values

    return check


def not_empty(example: str) -> Callable[[Any], Any]:
    """Refuse a list without members."""

    def check(values: Any) -> Any:  # noqa: ANN401
        if not values:
            raise WrongValueError("the list is empty", f"Write for example `{example}`.")
        return values

    return check


def list_schema(item: Reads, **limits: int) -> Json:
    """Tell an editor about a list without repetition, which may also be JSON text."""
    array = {"type": "array", "items": item.schema, "uniqueItems": True, **limits}
    if limits.get("minItems"):
        return {"anyOf": [array, {"type": "string", "pattern": r"^\s*\[[\s\S]*$"}]}
    return or_json(array, "[")
