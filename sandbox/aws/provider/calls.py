"""Calls of boto3 as data: what most rows are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jmespath

from engine.values import Properties
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import from_aws
from sandbox.aws.provider.table import ALL_TAGS, SECONDS, Job
from sandbox.aws.provider.tags import unpaired


@dataclass(frozen=True)
class Create:
    """A create call: every field with a parameter, and the tags.

    Attributes:
        operation: Its name in boto3.
        id: Path in the answer, or a template if it has braces.
        more: Further parameters, a template.
        only: The fields to send; all if empty.
    """

    operation: str
    id: str
    more: Mapping[str, Any] = field(default_factory=dict)
    only: Sequence[str] = ()
    without: Sequence[str] = ()

    def __call__(self, job: Job) -> str:
        """Make the call and return the id."""
        names = self.only or [name for name in job.row.fields if name not in self.without]
        params = {**job.params(*names), **job.fill(self.more)}
        if job.row.tags:
            params |= job.row.tags.for_create(job.tags)
        answer = job.call(self.operation, **params)
        found = job.fill(self.id) if "{" in self.id else jmespath.search(self.id, answer)
        return str(found)


@dataclass(frozen=True)
class Find:
    """A call that says what a resource is.

    Attributes:
        operation: Its name in boto3.
        where: Its parameters, a template.
        at: Path of the resource in the answer; empty for the whole answer.
        gone: Error codes that mean that there is none.
        outputs: Paths in the resource, or templates if they have braces.
        dead: Path and values at which it counts as gone.
    """

    operation: str
    where: Mapping[str, Any]
    at: str = ""
    gone: Sequence[str] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    dead: tuple[str, Sequence[str]] = ("", ())

    def item(self, job: Job) -> Properties | None:
        """The resource as AWS has it."""
        try:
            answer = job.call(self.operation, **job.fill(self.where))
        except ApiError as error:
            if error.code in self.gone:
                return None
            raise
        found = jmespath.search(self.at, answer) if self.at else answer
        if not found or (self.dead[0] and jmespath.search(self.dead[0], found) in self.dead[1]):
            return None
        return dict(found)

    def __call__(self, job: Job) -> Properties | None:
        """The resource's properties under Pulumi's names, or None."""
        item = self.item(job)
        return None if item is None else self.props(job, item)

    def props(self, job: Job, item: Properties) -> Properties:
        """The properties of a resource that was found."""
        props = from_aws(job.row.fields, item)
        for name, path in self.outputs.items():
            props[name] = job.fill(path) if "{" in path else jmespath.search(path, item)
        if form := job.row.tags:
            if form.read:
                operation, where, path = form.read
                tags = jmespath.search(path, job.call(operation, **job.fill(where)))
            else:
                tags = item.get(form.inside)
            props[ALL_TAGS] = unpaired(tags or [])
        return props


@dataclass(frozen=True)
class Change:
    """A call that changes some fields.

    Attributes:
        fields: It is made if one of them changed.
        operation: Its name in boto3.
        where: Its other parameters, a template.
        send: The fields that it sends; by default those that changed. Cleared ones are sent as
            `cleared` has them.
    """

    fields: Sequence[str]
    operation: str
    where: Mapping[str, Any]
    send: Sequence[str] | None = None
    cleared: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, job: Job) -> None:
        """Make the call if it is due."""
        due = [name for name in self.fields if name in job.changed]
        if not due:
            return
        names = due if self.send is None else list(self.send)
        params = job.params(*names) if names else {}
        for name in names:
            key = job.row.fields[name].param(name)
            if key not in params and name in self.cleared:
                params[key] = self.cleared[name]
        job.call(self.operation, **job.fill(self.where), **params)


@dataclass(frozen=True)
class Delete:
    """A delete call.

    Attributes:
        operation: Its name in boto3.
        where: Its parameters, a template.
        gone: Error codes that mean that there is nothing left to delete.
        retry: Error codes after which it is tried again, for `seconds`.
    """

    operation: str
    where: Mapping[str, Any]
    gone: Sequence[str] = ()
    retry: Sequence[str] = ()
    seconds: float = SECONDS
    until_gone: bool = False

    def __call__(self, job: Job) -> None:
        """Make the call, and wait if the row says so."""
        try:
            job.retry(self.retry, self.operation, seconds=self.seconds, **job.fill(self.where))
        except ApiError as error:
            if error.code not in self.gone:
                raise
        if self.until_gone:
            job.wait(f"{job.id} is gone", lambda: job.row.read(job) is None, seconds=self.seconds)


def again(put: Callable[[Job], str]) -> Callable[[Job], None]:
    """A call that makes a thing as an update of its own fields, where it is the same call."""

    def update(job: Job) -> None:
        if job.changed - {ALL_TAGS, "tags"}:
            put(job)

    return update
