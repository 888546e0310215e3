"""One host: where it keeps its log on this machine, and how far its boot is."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.aws.guests import host as guest

BOOT_LOG: Final = "dask-cluster-boot.log"
CLOUD_LOG: Final = "cloud-init.log"

# What cloud-init writes when the user data has ended.
_WENT_WELL: Final = "finish: modules-final: SUCCESS"
_WENT_WRONG: Final = "finish: modules-final: FAIL"
_TOLD: Final = re.compile(r"\$ aws [a-z0-9 -]* 0 *")


@dataclass(frozen=True)
class Spoiled:
    """How the next hosts of a group start, for tests of what can go wrong.

    Attributes:
        run: More arguments of `docker run`.
        files: Texts by path, written before the host starts.
        built: Whether the environment is there already, as in an image of one's own.
    """

    run: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    built: bool = True


@dataclass
class Host:
    """An instance of a group, as a container.

    Attributes:
        told: What it knows of itself.
        logs: What is /var/log on it; stays when it is gone.
        vpc: Its VPC, once it is known.
        state: `starting` until its container runs; `booting`, `up` or `failed` by its own log;
            `ending`, and `ended`.
        reason: Why it did not start.
        began: When the container started, by the monotonic clock.
        done: When its boot was seen to have ended.
        step: Before it boots: what is done for it.
    """

    told: guest.Host
    logs: Path
    vpc: str = ""
    state: str = "starting"
    reason: str = ""
    began: float = field(default_factory=time.monotonic)
    done: float | None = None
    step: str = ""
    pid: int | None = None

    @property
    def instance(self) -> str:
        """Its id, and the container's name."""
        return self.told.id

    @property
    def address(self) -> str:
        """Its private address."""
        return self.told.address

    def there(self) -> bool:
        """Whether it has a container, or is about to."""
        return self.state not in {"ending", "ended"}

    def look(self) -> None:
        """Read from its log how far it is."""
        if self.state != "booting":
            return
        steps = [line[3:] for line in self._lines(BOOT_LOG) if line.startswith("== ")]
        self.step = steps[-1] if steps else "cloud-init"
        said = "\n".join(self._lines(CLOUD_LOG))
        if _WENT_WELL in said or _WENT_WRONG in said:
            self.state = "up" if _WENT_WELL in said else "failed"
            self.done = time.monotonic()
            self.reason = self._wrong() if self.state == "failed" else ""

    def row(self) -> dict[str, Any]:
        """Return what is shown of it."""
        end = self.done if self.done is not None else time.monotonic()
        return {
            "instance": self.instance,
            "cluster": self.told.cluster,
            "group": self.told.group,
            "scaling_group": self.told.auto_scaling_group,
            "address": self.address,
            "container": self.instance,
            "pid": self.pid,
            "logs": str(self.logs),
            "state": self.state,
            "step": self.step,
            "reason": self.reason,
            "seconds": round(end - self.began, 1),
        }

    def _wrong(self) -> str:
        """Return the sentence that a boot ended with, or its last words."""
        # What goes well while a failure is told is no part of it.
        lines = [line for line in self._lines(BOOT_LOG) if not _TOLD.fullmatch(line)]
        wrong = [line[3:] for line in lines if line.startswith("!! ")]
        words = [line for line in lines if line and not line.startswith("== ")]
        return (wrong or words or [""])[-1]

    def _lines(self, name: str) -> list[str]:
        try:
            return (self.logs / name).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []
