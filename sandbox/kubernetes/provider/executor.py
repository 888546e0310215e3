"""What is done for each call of the engine.

Follows provider/pkg/provider/provider.go and provider/pkg/await/await.go of pulumi-kubernetes 4.34
with server-side apply, which is its default.
"""

import http
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.values import Properties, Unknown, has_unknown, unwrap
from sandbox.kubernetes.provider import diffs, managers, waits
from sandbox.kubernetes.provider.api import Api, ApiError
from sandbox.kubernetes.provider.naming import named
from sandbox.kubernetes.provider.objects import (
    AUTONAMED,
    MANAGER,
    annotated,
    annotation,
    at,
    checkpoint,
    hidden,
    id_of,
    metadata,
    normalised,
    pruned,
    recorded,
    split_id,
)
from sandbox.kubernetes.provider.settings import Target
from sandbox.kubernetes.provider.tokens import Kind
from sandbox.kubernetes.provider.waits import UnreadyError
from sandbox.provider_protocol import Fault, NotReadyError, ProviderError

_TRIES: Final = 6
_FORCE: Final = "pulumi.com/patchForce"
_PROPAGATION: Final = "pulumi.com/deletionPropagationPolicy"
_POLICIES: Final = {"orphan": "Orphan", "background": "Background"}
# Kinds whose end the real provider does not wait for where `pulumi.com/skipAwait` is set.
_UNAWAITED: Final = frozenset({Kind("v1", "Namespace"), Kind("apps/v1", "Deployment")})
_REFUSED: Final = ("pulumi.com/waitFor", "pulumi.com/replaceUnready")


@dataclass
class Job:
    """One call.

    Attributes:
        kind: The kind of the object.
        name: The program's name for it.
        id: Pulumi's id; empty before it exists.
        marked: The inputs, with marks of secrets.
        olds: The recorded state.
        seconds: How long the engine allows; 0 if it does not say.
        ignored: Paths whose changes do not count.
        preview: Whether nothing may be changed.
    """

    kind: Kind
    name: str
    id: str = ""
    marked: Properties = field(default_factory=dict)
    olds: Properties = field(default_factory=dict)
    seconds: float = 0
    ignored: Sequence[str] = ()
    preview: bool = False


class Executor:
    """The calls against one API server."""

    def __init__(self, target: Target, api: Api, stopped: Callable[[], bool]) -> None:
        """Take what they need; `stopped` says whether the engine asks to give up."""
        self._target = target
        self._api = api
        self._stopped = stopped

    def check(self, job: Job, olds: Properties, seed: bytes) -> tuple[Properties, list[Fault]]:
        """The inputs with their defaults, and what is wrong with them."""
        inputs = normalised(job.marked)
        given = inputs.get("metadata")
        if given is not None and not isinstance(given, dict):
            if isinstance(given, Unknown):
                return hidden(inputs, job.marked), []
            return job.marked, [("metadata", "metadata must be an object")]
        named(inputs, normalised(olds), job.name, seed)
        space = at(inputs, "metadata", "namespace")
        if not space and self._api.must(job.kind).namespaced:
            inputs["metadata"]["namespace"] = self._target.namespace
        return hidden(inputs, job.marked), list(_faults(inputs, job.kind))

    def diff(self, job: Job) -> tuple[list[tuple[str, str, bool]], bool]:
        """The changes, and whether the old object must go before a new one."""
        olds, live = recorded(job.olds)
        news = normalised(job.marked)
        mutable = self._target.mutable
        found = list(diffs.changes(olds, live, news, job.ignored, mutable=mutable))
        autonamed = annotated(news, AUTONAMED)
        return found, diffs.replaced_in_place(live, news, autonamed=autonamed)

    def create(self, job: Job) -> Properties:
        """The state of a new object, or of one that would be; sets the job's id.

        Raises:
            NotReadyError: It is there, but did not become ready.
            ProviderError: It was not made.
        """
        inputs = normalised(job.marked)
        if job.preview and (has_unknown(inputs) or self._api.resource(job.kind) is None):
            return job.marked
        manager = managers.chosen(inputs)
        try:
            live = self._made(job, inputs)
        except ApiError as error:
            if job.preview and (_no_namespace(error) or error.reason == "AlreadyExists"):
                return job.marked
            if job.preview and error.status == http.HTTPStatus.FORBIDDEN:
                return job.marked
            if error.reason == "AlreadyExists":
                raise ProviderError(_exists(id_of(inputs), error)) from error
            raise
        if job.preview:
            live.pop("status", None)
            return checkpoint(inputs, live, job.marked, manager)
        job.id = id_of(live)
        return self._awaited(job, inputs, live, None, manager)

    def update(self, job: Job) -> Properties:
        """The state of a changed object, or of one as it would be.

        Raises:
            NotReadyError: It is there, but was not changed or did not become ready.
            ProviderError: It is not there.
        """
        inputs = normalised(job.marked)
        if job.preview and (has_unknown(inputs) or self._api.resource(job.kind) is None):
            return job.marked
        _, last = recorded(job.olds)
        before = str(unwrap(job.olds.get(MANAGER) or ""))
        manager = managers.chosen(inputs, before)
        where = metadata(last, "namespace"), metadata(last, "name")
        found = self._api.get(job.kind, *where)
        try:
            live = self._applied(job, normalised(job.marked), found, manager)
        except ApiError as error:
            if job.preview and error.status == http.HTTPStatus.FORBIDDEN:
                return job.marked
            said = [_conflict(error)] if error.status == http.HTTPStatus.CONFLICT else []
            state = checkpoint(inputs, found, job.marked, manager)
            raise NotReadyError(job.id, str(error), state, details=said) from error
        if job.preview:
            return checkpoint(inputs, live, job.marked, manager)
        if before and before != manager:
            bare = {"apiVersion": job.kind.api_version, "kind": job.kind.kind}
            self._api.patch("apply", job.kind, where, bare, manager=before)
        return self._awaited(job, inputs, live, found, manager)

    def read(self, job: Job) -> tuple[Properties, Properties] | None:
        """The state and the inputs that describe what is there; None if nothing is.

        Raises:
            NotReadyError: It is there, but not ready.
        """
        olds = normalised(job.marked)
        if not olds:
            raise ProviderError("the plugin of a rehearsal imports nothing that is there already")
        live = self._api.find(job.kind, *split_id(job.id))
        if live is None:
            return None
        inputs = pruned(live, olds)
        manager = managers.chosen(olds, str(unwrap(job.olds.get(MANAGER) or "")))
        state = checkpoint(inputs, live, job.marked, manager)
        inputs = hidden(inputs, job.marked)
        try:
            waits.look(self._api, live, olds)
        except UnreadyError as error:
            details = error.reasons
            raise NotReadyError(
                job.id, str(error), state, details=details, inputs=inputs
            ) from error
        return state, inputs

    def delete(self, job: Job) -> None:
        """Delete an object and wait until it is gone.

        Raises:
            ProviderError: It is not gone.
        """
        inputs, live = recorded(job.olds)
        if self._api.resource(job.kind) is None:
            return
        namespace, name = split_id(job.id)
        policy = _POLICIES.get(annotation(inputs, _PROPAGATION).lower(), "Foreground")
        try:
            self._api.delete(job.kind, namespace, name, policy)
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return
            raise
        if annotated(inputs, "pulumi.com/skipAwait") and job.kind in _UNAWAITED:
            return
        longest = waits.seconds(job.seconds, inputs)
        waits.until_gone(self._api, live, longest=longest, stopped=self._stopped)

    def _made(self, job: Job, inputs: Properties) -> Properties:
        """Make an object; what it needs may be on its way."""
        for tried in range(_TRIES):
            try:
                return self._api.create(
                    job.kind, inputs, manager=managers.CREATOR, preview=job.preview
                )
            except ApiError as error:
                last = tried == _TRIES - 1
                if error.status != http.HTTPStatus.NOT_FOUND or last or job.preview:
                    raise
            time.sleep(0.5 * 2**tried)
        raise AssertionError

    def _applied(self, job: Job, inputs: Properties, live: Properties, manager: str) -> Properties:
        where = metadata(live, "namespace"), metadata(live, "name")
        taken = managers.taken_over(live, manager)
        if taken is not None and not job.preview:
            path = "/metadata/managedFields"
            body = [{"op": "replace", "path": path, "value": taken}]
            live = self._api.patch("json", job.kind, where, body)
        managers.leave_alone(inputs, live, manager, job.ignored)
        # A preview takes nothing over, so what it would take must not count as a conflict.
        force = annotated(inputs, _FORCE) or (job.preview and taken is not None)
        force = force or not managers.managed(live)
        return self._api.patch(
            "apply", job.kind, where, inputs, manager=manager, force=force, preview=job.preview
        )

    def _awaited(
        self,
        job: Job,
        inputs: Properties,
        live: Properties,
        last: Properties | None,
        manager: str,
    ) -> Properties:
        try:
            live = waits.until_ready(
                self._api,
                live,
                inputs,
                last=last,
                longest=waits.seconds(job.seconds, inputs),
                stopped=self._stopped,
            )
        except UnreadyError as error:
            state = checkpoint(inputs, error.live, job.marked, manager)
            raise NotReadyError(job.id, str(error), state, details=error.reasons) from error
        return checkpoint(inputs, live, job.marked, manager)


def _faults(inputs: Properties, kind: Kind) -> Iterator[Fault]:
    said: Any = inputs.get("apiVersion"), inputs.get("kind")
    if said != (kind.api_version, kind.kind):
        yield "kind", f"the object says it is {said[0]}/{said[1]}, and its type is {kind}"
    if at(inputs, "metadata", "generateName"):
        yield "metadata", "metadata.generateName does not go with server-side apply: give a name"
    for key in _REFUSED:
        if annotation(inputs, key):
            yield "metadata", f"the plugin of a rehearsal does not know the annotation {key}"


def _no_namespace(error: ApiError) -> bool:
    return error.status == http.HTTPStatus.NOT_FOUND and error.about == "namespaces"


def _exists(id_: str, error: ApiError) -> str:
    return (
        f"{error}. It is not Pulumi's: delete it, give this one another name, or take {id_} into "
        "the state with `pulumi import`"
    )


def _conflict(error: ApiError) -> str:
    del error
    return (
        f'another field manager owns a field; annotate with {_FORCE}: "true" to take it, or list '
        "it in ignore_changes to leave it"
    )
