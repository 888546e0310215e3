"""Carrying out a call on a resource: the same steps for every row of the table."""

import json
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from engine.values import UNKNOWN, Properties, Unknown, has_unknown, unwrap
from sandbox.aws.provider import naming, states
from sandbox.aws.provider.aws import Aws
from sandbox.aws.provider.fields import Fields, equal
from sandbox.aws.provider.rows import ROWS
from sandbox.aws.provider.table import ALL_TAGS, Job, Row
from sandbox.aws.provider.tags import all_tags
from sandbox.provider_protocol import NotReadyError, ProviderError

_PREFIXED: Final = 13
"""Random bytes after a `namePrefix`: as many digits as the real provider's."""
Fault = tuple[str, str]
"""A property and what is wrong with it."""


def row_of(token: str) -> Row:
    """The row of a type.

    Raises:
        ProviderError: The table has none.
    """
    if token not in ROWS:
        raise ProviderError(
            f"{token} is not a type that the plugin of a rehearsal knows; its table is in "
            "sandbox/aws/provider/rows"
        )
    return ROWS[token]


def check(
    token: str, name: str, olds: Properties, news: Properties, seed: bytes
) -> tuple[Properties, list[Fault]]:
    """Check inputs, write JSON objects as text and choose a name."""
    row = row_of(token)
    plain = {k: v for k, v in unwrap(news).items() if v is not None and k != naming.DEFAULTS}
    faults = [
        *_strange(token, row.fields, plain, ""),
        *(
            (key, f"{token} needs {key}")
            for key, spec in row.fields.items()
            if spec.required and key not in plain
        ),
    ]
    if not faults and not has_unknown(plain):
        faults += row.check(plain)
    for key, spec in row.fields.items():
        if spec.kind == "json" and isinstance(plain.get(key), Mapping):
            plain[key] = UNKNOWN if has_unknown(plain[key]) else _as_text(plain[key])
    defaults: list[str] = []
    if row.auto and row.auto.key not in plain and row.auto.unless not in plain:
        plain[row.auto.key] = naming.chosen(row.auto, name, unwrap(olds), plain, seed)
        defaults = [row.auto.key]
    plain[naming.DEFAULTS] = defaults
    return plain, faults


def _as_text(value: Any) -> str:  # noqa: ANN401
    return json.dumps(value)


def _strange(token: str, fields: Fields, props: Mapping[str, Any], where: str) -> list[Fault]:
    faults: list[Fault] = []
    for key, value in props.items():
        path = f"{where}{key}"
        if key not in fields:
            faults.append((path, f"{path} is not an input of {token} that this plugin knows"))
        elif fields[key].blocky and not isinstance(value, Unknown):
            items = value if isinstance(value, list) else [value]
            for item in items:
                if isinstance(item, Mapping):
                    faults += _strange(token, fields[key].fields, item, f"{path}.")
                elif not isinstance(item, Unknown):
                    faults.append((path, f"{path} of {token} must be an object"))
    return faults


class Executor:
    """The operations of a configured provider."""

    def __init__(self, aws: Aws, cancelled: Callable[[], bool]) -> None:
        """Take the clients and a way to see that Pulumi gives up."""
        self.aws = aws
        self._cancelled = cancelled

    def job(
        self,
        token: str,
        name: str,
        *,
        id_: str = "",
        news: Properties | None = None,
        olds: Properties | None = None,
        seconds: float = 0,
    ) -> Job:
        """What one call is about, with the tags that the resource is to have."""
        row = row_of(token)
        wanted = {k: v for k, v in unwrap(news or {}).items() if k != naming.DEFAULTS}
        old = unwrap(olds or {})
        job = Job(self.aws, row, name, id_, wanted, old, frozenset(), seconds, self._cancelled)
        if row.tags:
            own = wanted.get("tags")
            unknown = isinstance(own, Unknown)
            wanted[ALL_TAGS] = UNKNOWN if unknown else _tags(self.aws.default_tags, own)
        return job

    def diff(self, job: Job, ignored: Collection[str]) -> list[tuple[str, str, bool]]:
        """Changed inputs: name, path and whether the change replaces."""
        found = list(states.changes(job, ignored))
        job.changed = frozenset(name for name, _ in found)
        forced = set(job.row.replaced(job)) & job.changed
        return [
            (name, path, name in forced or (name != ALL_TAGS and job.row.fields[name].replace))
            for name, path in found
        ]

    def preview(self, job: Job) -> Properties:
        """What a create or an update would give."""
        self._mark(job)
        return states.planned(job)

    def create(self, job: Job) -> Properties:
        """Make a resource and wait until it is ready.

        Raises:
            NotReadyError: It exists, but a later step failed.
        """
        auto = job.row.auto
        if auto and not job.news.get(auto.key) and job.news.get(auto.unless):
            job.news[auto.key] = f"{job.news[auto.unless]}{secrets.token_hex(_PREFIXED)}"
        job.id = job.row.create(job)
        try:
            job.row.ready(job)
            found = self._found(job)
        except ProviderError as error:
            raise self._not_ready(job, error) from error
        return states.outputs(job, found)

    def update(self, job: Job) -> Properties:
        """Bring changed fields about; what is not changed is not touched.

        Raises:
            NotReadyError: Some of it was done.
        """
        self._mark(job)
        try:
            for step in job.row.update:
                step(job)
            if ALL_TAGS in job.changed:
                self._retag(job)
            found = self._found(job)
        except ProviderError as error:
            raise self._not_ready(job, error) from error
        return states.outputs(job, found)

    def read(self, job: Job) -> tuple[Properties, Properties] | None:
        """Outputs and inputs as AWS has them now; None if it is gone."""
        found = job.row.read(job)
        if found is None:
            return None
        before = {k: v for k, v in job.news.items() if k != ALL_TAGS}
        state = states.outputs(job, found)
        return state, states.inputs(job.row, unwrap(state), before)

    def _not_ready(self, job: Job, error: ProviderError) -> NotReadyError:
        """The error with what there is by now, so that the next run sees what is still to do."""
        try:
            found = job.row.read(job)
        except ProviderError:
            found = None
        asked = {key: value for key, value in job.news.items() if key != ALL_TAGS}
        state = states.outputs(job, found) if found else job.olds or {**asked, ALL_TAGS: {}}
        return NotReadyError(job.id, str(error), state)

    def _mark(self, job: Job) -> None:
        job.changed = frozenset(name for name, _ in states.changes(job, ()))

    def _found(self, job: Job) -> Properties:
        found = job.row.read(job)
        if found is None:
            raise ProviderError(f"{job.id} is gone right after the call that should have left it")
        return found

    def _retag(self, job: Job) -> None:
        form = job.row.tags
        assert form is not None  # noqa: S101 - tags differ only where there are any
        new, old = job.tags, dict(job.olds.get(ALL_TAGS) or {})
        if dropped := {k: v for k, v in old.items() if k not in new}:
            operation, where, key = form.erase
            keys: Any = sorted(dropped) if re.search("Keys$", key, re.IGNORECASE) else None
            keys = [{"Key": k} for k in sorted(dropped)] if keys is None else keys
            job.call(operation, **job.fill(where), **{key: keys})
        if added := {k: v for k, v in new.items() if old.get(k) != v}:
            operation, where, key = form.write
            job.call(operation, **job.fill(where), **{key: form.form(added)})


def _tags(defaults: Mapping[str, str], own: Any) -> Any:  # noqa: ANN401
    tags: Any = all_tags(defaults, {k: v for k, v in (own or {}).items() if not _open(v)})
    return tags | {k: v for k, v in (own or {}).items() if _open(v)}


def _open(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, Unknown)


__all__ = ["Executor", "Fault", "check", "equal", "row_of"]
