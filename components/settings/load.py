"""From what Pulumi hands to a program, or from a stack file, to the settings. All errors at once.

Reads no file but the one that is named, and calls nothing outside of this process.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components.settings import entries as written
from components.settings.group_names import GROUPS
from components.settings.keys import example_of, key_of
from components.settings.model import PLATFORMS, Settings
from components.settings.problems import (
    Place,
    Problem,
    SettingsError,
    WrongValueError,
    did_you_mean,
    path,
    show,
)
from components.settings.rules import RULES
from components.settings.stack_file import read

PROJECT = "dask-cluster"
"""The name in `Pulumi.yaml`: the namespace of every key that is ours."""

# A namespace this close to the project's is a slip, and Pulumi would ignore it without a word.
_SLIP = 0.85
_MISSING = "is missing"
# Pydantic's word for an unknown key.
_EXTRA = "extra_forbidden"


def load(
    values: Mapping[str, str],
    *,
    project: str = PROJECT,
    secret_keys: Collection[str] = (),
    source: str = "The stack's configuration",
) -> Settings:
    """Read the settings from the flat configuration that Pulumi hands to a program.

    Args:
        values: Text by namespaced key; objects and arrays as JSON text.
        project: The namespace to read; `aws:region` and the like are left alone.
        secret_keys: Namespaced keys whose values must not appear in a message.
        source: What to call these values in an error.

    Returns:
        The settings of the platform that `platform` names.

    Raises:
        SettingsError: With everything that is wrong.
    """
    entries, problems = _ours(values, project)
    hidden = {key.partition(":")[2] for key in secret_keys if key.startswith(f"{project}:")}
    return _build(entries, problems, hidden=hidden, source=source)


def load_file(path: str | Path, *, project: str = PROJECT) -> Settings:
    """Read the settings from a stack file, as Pulumi would hand them to the program.

    Args:
        path: The stack file.
        project: The namespace to read; keys without one belong to the project.

    Returns:
        The settings of the platform that `platform` names.

    Raises:
        SettingsError: With everything that is wrong.
    """
    config, problems = read(Path(path), settings=_keys(PLATFORMS.values()))
    full: dict[str, Any] = {}
    for key, value in config.items():
        name = key if ":" in key else f"{project}:{key}"
        if name in full:
            problem = f"is written twice, as `{_bare(key)}` and as `{name}`"
            problems.append(Problem(key, problem, "Keep one of the two."))
        full.setdefault(name, value)
    entries, slips = _ours(full, project)
    return _build(entries, [*problems, *slips], source=str(path))


def _keys(models: Collection[type[BaseModel]]) -> list[str]:
    return list(dict.fromkeys(key_of(name) for model in models for name in model.model_fields))


def _ours(values: Mapping[str, Any], project: str) -> tuple[dict[str, Any], list[Problem]]:
    entries: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in values.items():
        namespace, _, key = name.partition(":")
        if namespace == project:
            entries[key] = value
        elif did_you_mean(namespace, [project], near=_SLIP):
            problem = f"belongs to no project of this name (ours is `{project}`)"
            problems.append(Problem(name, problem, f"Did you mean `{project}:{key}`?"))
    return entries, problems


def _build(
    entries: dict[str, Any],
    problems: list[Problem],
    *,
    source: str,
    hidden: Collection[str] = (),
) -> Settings:
    entries = written.opened(entries)
    model, found = _model(entries)
    known = _keys([model])
    own = {key: value for key, value in entries.items() if key in known}
    if found:
        own["platform"] = example_of(model, "platform")
        known = _keys(PLATFORMS.values())
    settings, more = _validate(model, own)
    found = [_hide(each, hidden) for each in [*found, *more]]
    unknown = [key for key in entries if key not in known]
    # Who wrote `wokers` is told once and not also that `workers` is missing.
    told = {_bare(each.key) for each in problems} | {did_you_mean(key, known) for key in unknown}
    found = [each for each in found if each.problem != _MISSING or each.key not in told]
    found += [_unknown((key,), known, model) for key in unknown]
    if settings is not None and not found and not problems:
        return settings
    order = written.order(entries)
    found.sort(key=lambda each: written.position(each.key, order))
    raise SettingsError([*problems, *found], source=source)


def _model(entries: Mapping[str, Any]) -> tuple[type[Settings], list[Problem]]:
    """Choose the model by the platform; a wrong one is stood in for, to find the other errors."""
    stand_in = max(PLATFORMS.values(), key=lambda each: len(entries.keys() & set(_keys([each]))))
    names = " or ".join(f"`platform: {each}`" for each in PLATFORMS)
    if "platform" not in entries:
        return stand_in, [Problem("platform", _MISSING, f"Write {names}.")]
    named = entries["platform"]
    if isinstance(named, str) and named in PLATFORMS:
        return PLATFORMS[named], []
    near = did_you_mean(str(named), PLATFORMS)
    remedy = f"Did you mean `{near}`?" if near else f"Write {names}."
    return stand_in, [Problem("platform", f"{show(named)} is no platform", remedy)]


def _unknown(where: Sequence[str | int], known: Collection[str], model: type[Settings]) -> Problem:
    """Say what to make of a key that the model does not have where it stands."""
    *start, key = map(str, where)
    of = f" of {_holder_name(start)}" if start else ""
    near = did_you_mean(key, known)
    remedy = f"Did you mean `{near}`?" if near else f"The keys are {', '.join(known)}."
    if start and start[0] == GROUPS and key in _keys([model]):
        remedy = f"Write it beside `{start[0]}:`, for all workers."
    elsewhere = [name for name, each in PLATFORMS.items() if key in _keys([each, each.group_model])]
    if elsewhere and key not in _keys([model]) and (not start or start[0] == GROUPS):
        problem = f"is a key of {' and '.join(f'`platform: {each}`' for each in elsewhere)} only"
        return Problem(path(*where), problem, "Remove it, or change the platform.")
    return Problem(path(*where), f"unknown key{of}", remedy)


def _holder_name(start: Sequence[str]) -> str:
    return "a group" if start[0] == GROUPS else f"`{start[-1]}`"


def _validate(
    model: type[Settings], entries: Mapping[str, Any]
) -> tuple[Settings | None, list[Problem]]:
    # Names of fields are for Python: a file has only the keys.
    try:
        return model.model_validate(entries, by_alias=True, by_name=False), []
    except SettingsError as error:
        return None, list(error.problems)
    except ValidationError as error:
        details = error.errors(include_url=False)
    wrong = {written.place(each["loc"]) for each in details}
    wrong |= written.guessed(entries, wrong, model)
    meant = {_meant(each, model) for each in details if each["type"] == _EXTRA}
    problems = [
        _problem(each, model)
        for each in details
        if each["type"] != "missing" or written.place(each["loc"]) not in meant
    ]
    try:
        sound = written.stand_in(entries, wrong, model)
        model.model_validate(sound, by_alias=True, by_name=False, context={"without": wrong})
    except SettingsError as broken:
        problems += broken.problems
    return None, problems


def _meant(detail: ErrorDetails, model: type[Settings]) -> Place:
    """Return the key that an unknown one in a group stands for, as it seems."""
    *start, key = written.place(detail["loc"])
    return (*start, did_you_mean(key, _keys([model.group_model])) or key)


def _problem(detail: ErrorDetails, model: type[Settings]) -> Problem:
    parts = [part for part in detail["loc"] if part != "[key]"]
    wrong = detail.get("ctx", {}).get("error")
    if isinstance(wrong, WrongValueError):
        return Problem(path(*parts), wrong.problem, wrong.remedy)
    of = written.model_at(model, parts)
    if detail["type"] == _EXTRA:
        return _unknown(parts, _keys([of]), model)
    name = next(each for each in of.model_fields if parts[-1] == key_of(each))
    remedy = f"Write for example `{_line(parts[-1], example_of(of, name))}`."
    problem = _MISSING if detail["type"] == "missing" else detail["msg"]
    return Problem(path(*parts), problem, remedy)


def _line(key: str | int, value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value).replace('"', "")
    return f"{key}: {text}"


def _bare(key: str) -> str:
    return key.rpartition(":")[2]


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def _hide(problem: Problem, hidden: Collection[str]) -> Problem:
    """Say only that a secret is wrong; a rule's sentence may name values of several keys."""
    key = _top(problem.key)
    read = {name for each in RULES if each.name == problem.rule for name in each.keys(problem)}
    if problem.key == key and problem.problem == _MISSING:
        return problem
    if read.isdisjoint(hidden) and key not in hidden:
        return problem
    remedy = f"No setting is a secret: write it with `pulumi config set {key} VALUE`."
    return Problem(key, "is wrong here; a secret is not shown", remedy, problem.rule)
