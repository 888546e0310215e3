"""Waiting until objects are what they are to be, and until they are gone.

Follows provider/pkg/await of pulumi-kubernetes. It looks again twice a second where the real one
watches.
"""

import time
from collections.abc import Callable
from typing import Final

from engine.values import Properties
from sandbox.kubernetes.provider import pods
from sandbox.kubernetes.provider.api import Api
from sandbox.kubernetes.provider.objects import annotated, annotation, at, kind_in, metadata
from sandbox.kubernetes.provider.tokens import Kind
from sandbox.provider_protocol import ProviderError

SECONDS: Final = 600.0
"""How long the real provider waits by itself."""
_CLAIM_SECONDS: Final = 300.0
# The real one gives stragglers 10 s; one machine's are no farther away than this.
_SETTLE: Final = 2.0
_POLL: Final = 0.5
_REVISION: Final = "deployment.kubernetes.io/revision"
_NO_PODS: Final = "its selector finds no Pod, or none that is ready"

Check = Callable[[Properties], list[str] | None]
"""Why an object is not ready; None if it is."""


class UnreadyError(ProviderError):
    """An object did not become ready.

    Attributes:
        live: What it was last.
        reasons: Why, a sentence each.
    """

    def __init__(self, text: str, live: Properties, reasons: list[str]) -> None:
        """Say so."""
        super().__init__(text)
        self.live = live
        self.reasons = reasons


def seconds(asked: float, inputs: Properties) -> float:
    """How long to wait: custom timeouts, else an annotation, else as the real provider."""
    said = annotation(inputs, "pulumi.com/timeoutSeconds")
    return asked or (float(said) if said.isdecimal() else SECONDS)


def until_ready(
    api: Api,
    live: Properties,
    inputs: Properties,
    *,
    last: Properties | None,
    longest: float,
    stopped: Callable[[], bool],
) -> Properties:
    """Wait for an object that was made or changed.

    Args:
        api: Where.
        live: What the server answered.
        inputs: What was wanted; an annotation there may say not to wait.
        last: What it was before a change; None if it was made.
        longest: Seconds.
        stopped: Whether the engine asks to give up.

    Raises:
        UnreadyError: It is not ready in time.
    """
    check = None if annotated(inputs, "pulumi.com/skipAwait") else _check(api, live, last=last)
    if check is None:
        return live
    if live.get("kind") == "PersistentVolumeClaim":
        longest = min(longest, _CLAIM_SECONDS)
    where = metadata(live, "namespace"), metadata(live, "name")
    end = time.monotonic() + longest
    while True:
        if (reasons := check(live)) is None:
            return live
        if stopped():
            raise UnreadyError(f"{where[1]}: waiting for it was cancelled", live, reasons)
        if time.monotonic() > end:
            text = f"{where[1]} is not ready after {longest:g} s"
            raise UnreadyError(text, live, reasons)
        time.sleep(_POLL)
        found = api.find(kind_in(live), *where)
        if found is None:
            text = f"{where[1]} was deleted while it was waited for"
            raise UnreadyError(text, live, reasons)
        live = found


def look(api: Api, live: Properties, inputs: Properties) -> None:
    """Look once whether an object that was read is ready.

    Raises:
        UnreadyError: It is not.
    """
    if annotated(inputs, "pulumi.com/skipAwait") or live.get("kind") == "PersistentVolumeClaim":
        return
    check = _check(api, live, last=None, settle=0)
    reasons = check(live) if check else None
    if reasons is not None:
        raise UnreadyError(f"{metadata(live, 'name')} is there, but not ready", live, reasons)


def until_gone(api: Api, live: Properties, *, longest: float, stopped: Callable[[], bool]) -> None:
    """Wait until an object, or its like with another uid, is no longer there.

    Raises:
        ProviderError: It still is.
    """
    kind, where = kind_in(live), (metadata(live, "namespace"), metadata(live, "name"))
    end = time.monotonic() + longest
    while (found := api.find(kind, *where)) is not None:
        if metadata(found, "uid") != metadata(live, "uid"):
            return
        left = ", ".join(at(found, "metadata", "finalizers") or []) or "none"
        if stopped():
            raise ProviderError(f"{where[1]}: waiting for its end was cancelled")
        if time.monotonic() > end:
            why = [each.get("message") for each in at(found, "status", "conditions") or []]
            said = "; ".join(filter(None, map(str, why)))
            raise ProviderError(
                f"{where[1]} is still there {longest:g} s after its delete; finalizers: {left}"
                + (f"; {said}" if said else "")
            )
        time.sleep(_POLL)


def _check(
    api: Api, live: Properties, *, last: Properties | None, settle: float = _SETTLE
) -> Check | None:
    match kind_in(live):
        case Kind("apps/v1", "Deployment"):
            return lambda found: _deployment(api, found)
        case Kind("v1", "Service"):
            return _Service(api, settle)
        case Kind("v1", "PersistentVolumeClaim"):
            return lambda found: _claim(api, found, made=last is None)
    return None


def _deployment(api: Api, live: Properties) -> list[str] | None:
    revision = annotation(live, _REVISION)
    seen = at(live, "status", "observedGeneration")
    if not revision or seen != at(live, "metadata", "generation"):
        return ["its controller has not looked at it yet"]
    found, said = {}, []
    for each in at(live, "status", "conditions") or []:
        found[each.get("type")] = each
        if each.get("type") in {"Available", "Progressing"} and each.get("status") != "True":
            said.append(f"[{each.get('reason')}] {each.get('message')}")
    namespace = metadata(live, "namespace")
    labels = at(live, "spec", "selector", "matchLabels") or {}
    replicas = _owned(api.items(Kind("apps/v1", "ReplicaSet"), namespace, labels), live)
    current = [each for each in replicas if annotation(each, _REVISION) == revision]
    progress = found.get("Progressing") or {}
    # The first revision is made and not rolled out: it can be ready before this says so.
    rolled = revision == "1" or (
        progress.get("status") == "True" and progress.get("reason") == "NewReplicaSetAvailable"
    )
    ready = bool(current) and all(
        int(at(each, "status", "readyReplicas") or 0) >= int(at(each, "spec", "replicas") or 0)
        for each in current
    )
    if at(found, "Available", "status") != "True":
        said.append("fewer Pods are ready than it needs to be available")
    elif not rolled or not ready:
        said.append("fewer Pods of its newest revision are ready than it wants")
    else:
        return _unbound(api, live) or None
    every = api.items(Kind("v1", "Pod"), namespace, labels)
    mine = [pod for each in current for pod in _owned(every, each)]
    return [*said, *_unbound(api, live), *pods.reasons(mine)]


def _owned(objects: list[Properties], owner: Properties) -> list[Properties]:
    uid = metadata(owner, "uid")
    return [
        each
        for each in objects
        if any(ref.get("uid") == uid for ref in at(each, "metadata", "ownerReferences") or [])
    ]


def _unbound(api: Api, live: Properties) -> list[str]:
    said = []
    for volume in at(live, "spec", "template", "spec", "volumes") or []:
        if name := at(volume, "persistentVolumeClaim", "claimName"):
            claim = api.find(Kind("v1", "PersistentVolumeClaim"), metadata(live, "namespace"), name)
            if claim is not None and at(claim, "status", "phase") != "Bound":
                said.append(f"its PersistentVolumeClaim {name} is not bound")
    return said


def _claim(api: Api, live: Properties, *, made: bool) -> list[str] | None:
    phase = at(live, "status", "phase")
    storage_class = at(live, "spec", "storageClassName")
    found = storage_class and api.find(Kind("storage.k8s.io/v1", "StorageClass"), "", storage_class)
    later = at(found, "volumeBindingMode") == "WaitForFirstConsumer"
    if phase == "Bound" or (made and later and phase == "Pending"):
        return None
    return [
        f"it is {phase}; its storage class is {storage_class or 'not set, and none is default'}"
    ]


class _Service:
    """Whether a Service leads to its pods; it remembers since when its endpoints stand."""

    def __init__(self, api: Api, settle: float) -> None:
        self._api = api
        self._settle = settle
        self._version = ""
        self._since = 0.0

    def __call__(self, live: Properties) -> list[str] | None:
        spec = live.get("spec") or {}
        kind = spec.get("type", "ClusterIP")
        if kind == "LoadBalancer" and not at(live, "status", "loadBalancer", "ingress"):
            return ["it was given no address: has this cluster load balancers?"]
        headless = spec.get("clusterIP") == "None"
        if kind == "ExternalName" or headless or not spec.get("selector"):
            return None
        where = metadata(live, "namespace"), metadata(live, "name")
        found = self._api.find(Kind("v1", "Endpoints"), *where)
        if found is None:
            return [_NO_PODS] if self._settle else None
        now = time.monotonic()
        if (version := metadata(found, "resourceVersion")) != self._version:
            self._version, self._since = version, now
        if any(each.get("notReadyAddresses") for each in found.get("subsets") or []):
            return ["some of its Pods are not ready"]
        return None if now - self._since >= self._settle else [_NO_PODS]
