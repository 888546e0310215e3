"""The entries of a stack as they were written: where each stands, and what may stand in for it.

Entries are a mapping, and so are its `groups` and each group in it; nothing else is opened.
"""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from components.settings.group_names import GROUPS
from components.settings.keys import example_of, key_of
from components.settings.problems import Place, WrongValueError, path
from components.settings.scalars import mapping
from components.settings.worker_group import AUTO, WorkerGroup

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


def model_at(model: type[BaseModel], where: Place) -> type[BaseModel]:
    """Return the model whose key an entry is."""
    return WorkerGroup if where[0] == GROUPS and len(where) > 1 else model


def guessed(entries: Mapping[str, Any], wrong: Collection[Place]) -> set[Place]:
    """Return where `auto` stands for a number that cannot be known: the threads are wrong."""
    return {
        (*where[:-1], "processes")
        for where in wrong
        if where[-1] == "threads" and _holder(entries, where).get("processes") == AUTO
    }


def stand_in(
    entries: Mapping[str, Any], wrong: Collection[Place], model: type[BaseModel]
) -> Entries:
    """Return the entries with a right value in each of these places, or without the unknown key."""
    sound = opened(entries)
    for where in wrong:
        of, holder, key = model_at(model, where), _holder(sound, where), where[-1]
        name = next((each for each in of.model_fields if key_of(each) == key), None)
        if of is WorkerGroup and len(where) == len((GROUPS, "a name")):
            holder[key] = _least_group()
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


def _least_group() -> Entries:
    fields = WorkerGroup.model_fields
    return {key_of(n): example_of(WorkerGroup, n) for n in fields if fields[n].is_required()}
