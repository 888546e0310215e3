"""What the status of a pod says to people, and whether it can still become ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What a container waits for in vain, as the kubelet calls it.
_NO_IMAGE = frozenset({"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_BROKEN = _NO_IMAGE | {"CreateContainerConfigError"}
# An attempt of now that failed; the kubelet then waits longer and longer.
_ATTEMPT = "ErrImagePull"
# What is on its way; nothing is said of it but in events.
STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_CRASHED = "CrashLoopBackOff"
MOST_CRASHES = 3
# A worker that ends with one of these waits in the same way, and is started again: it was told to,
# or its scheduler was away (`dask_node.worker`).
_NO_CRASH = (0, 75)
# A registry may be out of reach for a moment, and a Secret come a moment late: the kubelet tries a
# second time within this.
BROKEN_SECONDS = 20.0
# As the controllers of Kubernetes mark a Deployment's ReplicaSets, and these their pods.
REVISION = "deployment.kubernetes.io/revision"
TEMPLATE = "pod-template-hash"


@dataclass(frozen=True)
class Seen:
    """A pod at one moment.

    Attributes:
        uid: Its own, also where another one of its name was before.
        name: Its name.
        container: Name of its container.
        state: What keeps it from being ready, on one line; empty if it is.
        waits_for: The kubelet's word for what the container waits for, or nothing.
        placed: Whether it has a node and is not over.
        restarts: How often its container has been started again.
        crashed: Whether it ended by itself before that.
    """

    uid: str
    name: str
    container: str
    state: str
    waits_for: str
    placed: bool
    restarts: int
    crashed: bool

    @property
    def waits_in_vain(self) -> bool:
        """Whether its container waits for more than a start that takes its time.

        After an end that is no crash the kubelet waits as after one.
        """
        if self.waits_for == _CRASHED:
            return self.crashed
        return bool(self.waits_for) and self.waits_for not in STARTING


def seen(pod: Any) -> Seen:  # noqa: ANN401  # a V1Pod of a package without types
    """Return what the API says of a pod."""
    status = (pod.status.container_statuses or [None])[0]
    waiting = status.state.waiting if status and status.state else None
    last = status.last_state.terminated if status and status.last_state else None
    return Seen(
        uid=pod.metadata.uid,
        name=pod.metadata.name,
        container=pod.spec.containers[0].name,
        state=_state(pod, status),
        waits_for=(waiting.reason or "") if waiting else "",
        placed=bool(pod.spec.node_name) and pod.status.phase in ("Pending", "Running"),
        restarts=status.restart_count if status else 0,
        crashed=last is not None and last.exit_code not in _NO_CRASH,
    )


def _state(pod: Any, status: Any) -> str:  # noqa: ANN401  # a V1Pod and a V1ContainerStatus
    conditions = {each.type: each for each in pod.status.conditions or []}
    if pod.status.phase == "Failed":
        return _joined(pod.status.reason or "Failed", pod.status.message)
    placed = conditions.get("PodScheduled")
    if placed is not None and placed.status == "False":
        return _joined("Pending", placed.message)
    return _container(status) if status is not None else "Pending: its node has not begun with it"


def _container(status: Any) -> str:  # noqa: ANN401  # a V1ContainerStatus
    before = _last_end(status)
    if status.state.waiting is not None:
        waiting = status.state.waiting
        # Of a crash loop the message is how long the kubelet waits.
        message = before if waiting.reason == _CRASHED else waiting.message
        return _joined(waiting.reason or "waiting", message)
    if status.state.terminated is not None:
        return _joined("ended", _end(status.state.terminated))
    return "" if status.ready else _joined("runs, and is not ready", before)


def _last_end(status: Any) -> str:  # noqa: ANN401  # a V1ContainerStatus
    ended = status.last_state.terminated if status.last_state else None
    return f"{_end(ended)}, started {status.restart_count} times again" if ended else ""


def _end(terminated: Any) -> str:  # noqa: ANN401  # a V1ContainerStateTerminated
    return f"{terminated.reason or 'Error'}, exit code {terminated.exit_code}"


def _joined(what: str, more: str | None) -> str:
    return f"{what}: {' '.join(more.split())}" if more else what


class Patience:
    """Tells pods that need time from those that will never become ready.

    What was broken before may have been mended since, outside of the cluster. The kubelet tries
    most things again within seconds, an image only after minutes: a pod that had none at the first
    look is given up only after a new attempt has failed.
    """

    def __init__(self) -> None:
        self._restarts: dict[str, int] | None = None  # at the first look
        self._stale: set[str] = set()
        self._broken_since: dict[str, float] = {}

    def look(self, pods: Iterable[Seen], now: float) -> None:
        """Take in how things are.

        Args:
            pods: All that are waited for.
            now: By `time.monotonic`.
        """
        pods = list(pods)
        if self._restarts is None:
            self._restarts = {pod.uid: pod.restarts for pod in pods}
            self._stale = {pod.uid for pod in pods if pod.waits_for in _NO_IMAGE}
        for pod in pods:
            if pod.waits_for not in _BROKEN:
                self._stale.discard(pod.uid)
            if pod.waits_for in _BROKEN or pod.waits_for == _ATTEMPT:
                self._broken_since.setdefault(pod.uid, now)
            else:
                self._broken_since.pop(pod.uid, None)

    def is_over(self, pods: Sequence[Seen], now: float) -> bool:
        """Return whether none of a Deployment's pods will become ready, and one is broken."""
        hopeless = [pod for pod in pods if self._hopeless(pod, now)]
        hopeful = [pod for pod in pods if pod.placed and pod not in hopeless]
        return bool(hopeless) and not hopeful

    def _hopeless(self, pod: Seen, now: float) -> bool:
        if pod.waits_for == _CRASHED:
            before = (self._restarts or {}).get(pod.uid, 0)
            return pod.crashed and pod.restarts >= MOST_CRASHES and pod.restarts != before
        long = now - self._broken_since.get(pod.uid, now) >= BROKEN_SECONDS
        return pod.waits_for in _BROKEN and pod.uid not in self._stale and long
