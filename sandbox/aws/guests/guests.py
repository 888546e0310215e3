"""The guests of a server: one thread that does what hosts do, in the order of time."""

import heapq
import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.guests.calls import BOOT_HOOK, DRAIN_HOOK, Calls, now
from sandbox.aws.guests.host import Host, read
from sandbox.aws.server.events import Event

_LOG: Final = logging.getLogger(__name__)

# Real seconds.
BOOT_SECONDS: Final = 0.3
DRAIN_SECONDS: Final = 0.3
# Changes of so long are written together; a real scheduler gathers them for five seconds.
GATHER_SECONDS: Final = 0.2
# Seconds of the account's time.
BEAT_SECONDS: Final = 60.0


@dataclass
class _Cluster:
    """What is up of a cluster."""

    scheduler: Host | None = None
    started: str = ""
    workers: dict[str, Host] = field(default_factory=dict)
    written: tuple[str, dict[str, int]] | None = None
    gathering: bool = False


class Guests:
    """Boots, drains and ends every instance of a cluster's groups."""

    def __init__(self, endpoint: str, *, speed: float) -> None:
        """Prepare the guests of a server.

        Args:
            endpoint: The server's address.
            speed: How much faster than real time heartbeats are sent.
        """
        self._endpoint = endpoint
        self._speed = speed
        self._steps: list[tuple[float, int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._change = threading.Condition()
        self._generation = 0
        self._clusters: dict[str, _Cluster] = {}
        self._failing: dict[str, str] = {}
        self._calls: dict[str, Calls] = {}

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._run, name="guests", daemon=True).start()

    def tell(self, event: Event) -> None:
        """Hear of an event; returns at once."""
        host = read(event)
        if host is None:
            return
        if event.kind == "running":
            self._after(BOOT_SECONDS, lambda: self._boot(host))
        elif event.kind == "terminating":
            self._after(DRAIN_SECONDS, lambda: self._drain(host, event.hooks))
        else:
            self._after(0.0, lambda: self._gone(host))

    def edited(self) -> None:
        """Hear that something of EC2 was changed: nothing to a guest."""

    def fail(self, group: str, reason: str | None) -> None:
        """Let every further boot of a group fail, or, without a reason, go well again."""
        with self._change:
            if reason is None:
                self._failing.pop(group, None)
            else:
                self._failing[group] = reason

    def table(self) -> dict[str, Any]:
        """Return what is up and what fails."""
        with self._change:
            up = {
                name: {
                    "scheduler": one.scheduler.id if one.scheduler else None,
                    "workers": _counted(one),
                }
                for name, one in self._clusters.items()
            }
            return {"clusters": up, "fail": dict(self._failing)}

    def reset(self) -> None:
        """Forget everybody: the account starts anew."""
        with self._change:
            self._generation += 1
            self._steps.clear()
            self._clusters.clear()
            self._failing.clear()
            self._calls.clear()

    def _after(self, seconds: float, step: Callable[[], None]) -> None:
        with self._change:
            due = time.monotonic() + seconds
            heapq.heappush(self._steps, (due, next(self._numbers), self._generation, step))
            self._change.notify()

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._steps or self._steps[0][0] > time.monotonic():
                    wait = self._steps[0][0] - time.monotonic() if self._steps else None
                    self._change.wait(wait)
                _, _, generation, step = heapq.heappop(self._steps)
                if generation != self._generation:
                    continue
            # Without the lock: a call may make the server tell us of something.
            try:
                step()
            except (ClientError, BotoCoreError) as error:
                # A real host writes it into its log as well, and goes on or ends.
                _LOG.info("a guest's call failed: %s", error)

    def _boot(self, host: Host) -> None:
        calls, reason = self._of(host), self._failing.get(host.group)
        if reason is None:
            try:
                calls.fetch(host)
            except ClientError as error:
                reason = f"what the host needs is not there: {error}"
        if reason is not None:
            calls.failed(host, reason, [f"[{host.id}] boot", "== environment", f"!! {reason}"])
            return
        cluster = self._cluster(host)
        if host.is_scheduler:
            calls.point_record(host)
            with self._change:
                cluster.scheduler, cluster.started, cluster.written = host, now(), None
            self._beat(host)
            calls.booted(host)
            self._write(host.cluster)
            calls.complete(host, BOOT_HOOK)
            return
        calls.booted(host)
        with self._change:
            cluster.workers[host.id] = host
        self._gather(host.cluster)

    def _drain(self, host: Host, hooks: tuple[str, ...]) -> None:
        self._gone(host)
        if DRAIN_HOOK in hooks:
            self._of(host).complete(host, DRAIN_HOOK)

    def _gone(self, host: Host) -> None:
        cluster = self._cluster(host)
        with self._change:
            if cluster.scheduler is not None and cluster.scheduler.id == host.id:
                cluster.scheduler = None
            known = cluster.workers.pop(host.id, None)
        if known is not None:
            self._gather(host.cluster)

    def _beat(self, host: Host) -> None:
        scheduler = self._cluster(host).scheduler
        if scheduler is None or scheduler.id != host.id:
            return
        self._of(host).beat(host)
        self._after(BEAT_SECONDS / self._speed, lambda: self._beat(host))

    def _gather(self, name: str) -> None:
        """Write soon, once for all that changes until then."""
        with self._change:
            cluster = self._clusters.get(name)
            # None: the account started anew while a host took its step.
            if cluster is None or cluster.gathering:
                return
            cluster.gathering = True

        def write() -> None:
            cluster.gathering = False
            self._write(name)

        self._after(GATHER_SECONDS, write)

    def _write(self, name: str) -> None:
        cluster = self._clusters.get(name)
        if cluster is None or cluster.scheduler is None:
            return
        with self._change:
            scheduler, counts = cluster.scheduler, _counted(cluster)
            if cluster.written == (scheduler.id, counts):
                return
            cluster.written = (scheduler.id, counts)
        self._of(scheduler).register(scheduler, cluster.started, counts)

    def _cluster(self, host: Host) -> _Cluster:
        with self._change:
            return self._clusters.setdefault(host.cluster, _Cluster())

    def _of(self, host: Host) -> Calls:
        if host.region not in self._calls:
            self._calls[host.region] = Calls(self._endpoint, host.region)
        return self._calls[host.region]


def _counted(cluster: _Cluster) -> dict[str, int]:
    return dict(sorted(Counter(host.group for host in cluster.workers.values()).items()))
