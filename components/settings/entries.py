"""The entries of a stack as they were written: where each stands, and what may stand in for it.

Entries are a mapping, and so are its `groups` and each group in it; nothing else is opened.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from components.settings.base import Settings
from components.settings.group_names import GROUPS
from components.settings.keys import example_of, key_of
from components.settings.layout import AUTO
from components.settings.problems import Place, WrongValueError, path
from components.settings.scalars import mapping
from components.settings.worker_group import WorkerGroup

Entries = dict[str, Any]


def opened(entries: Mapping[str, Any]) -> Entries:
    """Return the entries with their groups as mappings, also where they are JSON text."""
    groups = _mapping(entries.get(GROUPS))
    if GROUPS not in entries or not isinstance(groups, dict):
        return dict(entries)
    return {**entries, GROUPS: {str(name): _group(group) for name, group in groups.items()}}


def _group(value: object) -> object:
    group = _mapping(value)
    return {str(key): each for key, each in group.items()} if isinstance(group, dict) else group


def _mapping(value: object) -> object:
    try:
        return mapping(value)
    except WrongValueError:
        # The model says so.
        return value


def order(entries: Mapping[str, Any]) -> dict[str, int]:
    """Number the paths of all entries, as they follow each other in the file."""
    paths: list[str] = []
    for key, value in entries.items():
        paths.append(path(key))
        for name, group in value.items() if key == GROUPS and isinstance(value, dict) else ():
            paths.append(path(key, name))
            paths += [path(key, name, each) for each in group] if isinstance(group, dict) else []
    return {each: index for index, each in enumerate(paths)}


def position(written: str, numbers: Mapping[str, int]) -> int:
    """Return the number of the entry that holds what a path names; -1 where there is none."""
    holders = (
        number
        for each, number in numbers.items()
        if written == each or written.startswith((f"{each}.", f"{each}["))
    )
    return max(holders, default=-1)


def place(loc: Collection[str | int]) -> Place:
    """Return the entry that holds what pydantic found something wrong with."""
    first, *rest = map(str, loc)
    return (first, *(rest[:2] if first == GROUPS else []))


def model_at(model: type[Settings], where: Sequence[str | int]) -> type[BaseModel]:
    """Return the model whose key stands at a place, also within a key that is made of several."""
    if where[0] == GROUPS and len(where) > 1:
        return model.group_model
    of: type[BaseModel] = model
    for key in where[:-1]:
        of = part_of(of, key) or of
    return of


def part_of(model: type[BaseModel], key: str | int) -> type[BaseModel] | None:
    """Return the model of a key that is made of several, or None."""
    field = next((each for name, each in model.model_fields.items() if key_of(name) == key), None)
    kinds = (field.annotation, *get_args(field.annotation)) if field else ()
    found = (each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel))
    return next(found, None)


def guessed(
    entries: Mapping[str, Any], wrong: Collection[Place], model: type[Settings]
) -> set[Place]:
    """Return where `auto` stands for a number that cannot be known: what it comes from is wrong."""
    sources = set(map(key_of, model.group_model.auto_from))
    return {
        (*where[:-1], "processes")
        for where in wrong
        if where[-1] in sources and _holder(entries, where).get("processes") == AUTO
    }


def stand_in(
    entries: Mapping[str, Any], wrong: Collection[Place], model: type[Settings]
) -> Entries:
    """Return the entries with a right value in each of these places, or without the unknown key."""
    sound = opened(entries)
    for where in wrong:
        of, holder, key = model_at(model, where), _holder(sound, where), where[-1]
        name = next((each for each in of.model_fields if key_of(each) == key), None)
        if of is model.group_model and len(where) == len((GROUPS, "a name")):
            holder[key] = _least(model.group_model)
        elif name is None:
            holder.pop(key, None)
        else:
            holder[key] = example_of(of, name)
    return sound


def _holder(entries: Mapping[str, Any], where: Place) -> Any:  # noqa: ANN401
    holder: Any = entries
    for key in where[:-1]:
        holder = holder[key]
    return holder


def _least(group: type[WorkerGroup]) -> Entries:
    fields = group.model_fields
    return {key_of(n): example_of(group, n) for n in fields if fields[n].is_required()}
