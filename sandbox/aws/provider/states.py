"""What Pulumi records of a resource, and how that compares with what a program wants."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from engine.values import UNKNOWN, Properties, secret
from sandbox.aws.provider.fields import Field, differences, empty, equal
from sandbox.aws.provider.naming import DEFAULTS
from sandbox.aws.provider.table import ALL_TAGS, Job, Row
from sandbox.aws.provider.tags import own_tags


def outputs(job: Job, found: Properties) -> Properties:
    """Every property of a resource that a program can read.

    Args:
        job: What was asked; inputs that AWS does not know are taken from there.
        found: What AWS says.
    """
    state: Properties = {"id": job.id}
    for name, spec in job.row.fields.items():
        if spec.local:
            value = job.news.get(name, job.olds.get(name) if not job.news else None)
        else:
            value = found.get(name)
        value = spec.default if value is None else value
        if value is not None:
            state[name] = secret(value) if spec.secret else value
    for name in job.row.outputs:
        state[name] = found.get(name)
    if job.row.regional:
        state["region"] = job.region
    if job.row.tags:
        state[ALL_TAGS] = found.get(ALL_TAGS) or {}
        own = own_tags(job.aws.default_tags, state[ALL_TAGS], job.get("tags"))
        state["tags"] = own
    return state


def inputs(row: Row, state: Properties, before: Properties) -> Properties:
    """The inputs that describe what AWS has.

    Each is written as before where it means the same; what nobody asked for is there only if it
    differs from what AWS does by itself.
    """
    found: Properties = {}
    for name, spec in row.fields.items():
        value = _input(spec, state.get(name), before.get(name), given=name in before)
        if value is not None:
            found[name] = value
    if DEFAULTS in before:
        found[DEFAULTS] = before[DEFAULTS]
    return found


def _input(spec: Field, value: Any, before: Any, *, given: bool) -> Any:  # noqa: ANN401
    if spec.local or (given and equal(spec, value, before)):
        return before
    if not given:
        return None if spec.computed or value is None or empty(spec, value) else value
    if spec.kind == "block" and isinstance(value, Mapping) and isinstance(before, Mapping):
        parts = {
            name: _input(inner, value.get(name), before.get(name), given=name in before)
            for name, inner in spec.fields.items()
        }
        return {name: part for name, part in parts.items() if part is not None}
    if spec.kind == "blocks" and isinstance(value, list):
        return [_pruned(spec, item) for item in value]
    return secret(value) if spec.secret and value is not None else value


def _pruned(spec: Field, item: Any) -> Any:  # noqa: ANN401
    return {
        name: value
        for name, value in item.items()
        if name in spec.fields and not empty(spec.fields[name], value)
    }


def changes(job: Job, ignored: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each changed input and the path in it that differs."""
    for name, spec in job.row.fields.items():
        new = job.news.get(name)
        if name == "region" and new is None:
            new = job.aws.region
        old = job.olds.get(name)
        for path in differences(spec, old, new, name):
            if not any(path == i or path.startswith((f"{i}.", f"{i}[")) for i in ignored):
                yield name, path
    differ = job.row.tags and job.news.get(ALL_TAGS) != (job.olds.get(ALL_TAGS) or {})
    if differ and ALL_TAGS not in ignored:
        yield ALL_TAGS, ALL_TAGS


def planned(job: Job) -> Properties:
    """Outputs that a preview can show: what is not known before the call is unknown."""
    if not job.id:
        state: Properties = dict.fromkeys(job.row.outputs, UNKNOWN)
        base: Mapping[str, Any] = {}
    else:
        base = job.olds
        state = {**base}
    for name, spec in job.row.fields.items():
        value = job.news.get(name)
        if value is None and job.id and spec.computed:
            value = base.get(name)
        if value is None:
            value = UNKNOWN if spec.computed and not job.id else spec.default
        if value is None:
            state.pop(name, None)
        else:
            state[name] = secret(value) if spec.secret else value
    if job.row.regional:
        state["region"] = job.region
    if job.row.tags:
        state[ALL_TAGS] = job.tags
    if job.id:
        state |= dict.fromkeys(job.row.moving(job), UNKNOWN)
    return state
