"""`python -m dask_node.aws.watch`: end the workers of this host before its instance goes.

One runs on every host, as root. It asks the instance's metadata whether the Auto Scaling group
ends the instance, or EC2 takes a spot instance back; leaves a notice for the drain of the workers
(`dask_node.drain`), stops their unit, waits for it, and lets the group go on. Until then the
terminate hook of the group holds the instance: not one that EC2 takes back, which is gone two
minutes after the notice.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from dask_node.aws.clients import calling, client
from dask_node.aws.imds import Metadata

logger = logging.getLogger("dask_node.aws.watch")

HOOK = "drain"
UNIT = "dask-worker.service"
# Beside the notice; the unit does not start where it is.
DRAINING = "draining"
POLL_SECONDS = 5.0
# The hook ends by itself after 300 s without one.
HEARTBEAT_SECONDS = 60.0
# Of the two minutes of a spot notice; it is seen late, and the unit needs a moment.
SPOT_SECONDS = 100.0

STATE = "autoscaling/target-lifecycle-state"
SPOT = "spot/instance-action"
REBALANCE = "events/recommendations/rebalance"


@dataclass(frozen=True)
class Notice:
    """Why this instance goes, and how many seconds its workers have; `dask_node.drain` reads it."""

    reason: str
    seconds: float


@dataclass(frozen=True)
class Host:
    """What the variables of the units say of this host."""

    role: str
    region: str
    group: str
    instance: str
    drain_seconds: float
    notice: Path

    @classmethod
    def of_variables(cls) -> Host:
        """Read them.

        Raises:
            KeyError: One is not set.
        """
        return cls(
            role=os.environ["DASK_CLUSTER_ROLE"],
            region=os.environ["AWS_DEFAULT_REGION"],
            group=os.environ["DASK_CLUSTER_AUTO_SCALING_GROUP"],
            instance=os.environ["DASK_CLUSTER_PLACE"],
            drain_seconds=float(os.environ["DASK_CLUSTER_DRAIN_SECONDS"]),
            notice=Path(os.environ["DASK_CLUSTER_NOTICE"]),
        )


class Watch:
    """Waits for the end of the instance, and prepares it."""

    def __init__(
        self, host: Host, *, poll: float = POLL_SECONDS, beat: float = HEARTBEAT_SECONDS
    ) -> None:
        self.host = host
        self.poll = poll
        self.beat = beat
        self._metadata = Metadata()
        self._api: Any = client("autoscaling", host.region)
        self._complaints: dict[str, str] = {}

    def run(self) -> None:
        """Return when the group has been told that it may go on."""
        notice = self._wait()
        logger.info("This instance ends: %s. The workers have %g s", notice.reason, notice.seconds)
        if self.host.role == "worker":
            self._tell(notice)
            self._end_workers()
        while not self._complete():
            # A spot instance that is taken back need not be ended by its group as well.
            sleep(self.poll)

    def _wait(self) -> Notice:
        while True:
            if self._read(SPOT):
                return Notice("spot", min(SPOT_SECONDS, self.host.drain_seconds))
            if self._ended_by_group():
                return Notice("auto scaling", self.host.drain_seconds)
            self._say(REBALANCE, self._read(REBALANCE) or "")
            sleep(self.poll)

    def _tell(self, notice: Notice) -> None:
        """Write down why, for the drain, and that the unit is not to start again."""
        partial = self.host.notice.with_suffix(".partial")
        partial.write_text(json.dumps({"reason": notice.reason, "seconds": notice.seconds}))
        partial.chmod(0o644)
        partial.replace(self.host.notice)
        self.host.notice.with_name(DRAINING).touch()

    def _end_workers(self) -> None:
        """Stop the unit, whose own deadline is the limit, and hold the hook meanwhile."""
        stop = subprocess.Popen(["systemctl", "stop", UNIT])  # noqa: S607  # found as root finds it
        heard = monotonic()
        while True:
            try:
                code = stop.wait(timeout=self.poll)
            except subprocess.TimeoutExpired:
                if monotonic() >= heard + self.beat and self._ended_by_group():
                    self._hook("hold", self._api.record_lifecycle_action_heartbeat)
                    heard = monotonic()
                continue
            level = logging.INFO if code == 0 else logging.ERROR
            logger.log(level, "The workers have ended (systemctl: %d)", code)
            return

    def _complete(self) -> bool:
        return self._ended_by_group() and self._hook(
            "end", self._api.complete_lifecycle_action, LifecycleActionResult="CONTINUE"
        )

    def _hook(self, what: str, method: Any, **more: str) -> bool:  # noqa: ANN401
        """Make a call about the terminate hook; return whether it was made."""
        try:
            with calling(f"{what} the hook {HOOK}"):
                method(
                    AutoScalingGroupName=self.host.group,
                    LifecycleHookName=HOOK,
                    InstanceId=self.host.instance,
                    **more,
                )
        except OSError as error:
            self._say("hook", str(error), logging.ERROR)
            return False
        return True

    def _ended_by_group(self) -> bool:
        return self._read(STATE) == "Terminated"

    def _read(self, path: str) -> str | None:
        try:
            return self._metadata.read(path)
        except OSError as error:
            self._say("metadata", f"The metadata cannot be read: {error}", logging.ERROR)
            return None

    def _say(self, about: str, what: str, level: int = logging.INFO) -> None:
        """Log what is new; it is asked for again and again."""
        if what and self._complaints.get(about) != what:
            logger.log(level, "%s: %s", about, what)
        self._complaints[about] = what


def main() -> int:
    """Watch this host; return when its instance may go."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s - %(name)s - %(levelname)s - %(message)s",
        stream=sys.stdout,
    )
    Watch(Host.of_variables()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
