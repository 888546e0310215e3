"""What EC2 announces to instances: that it takes them back, or that they had better be replaced."""

import threading
from datetime import datetime


class Notices:
    """What EC2 has announced to instances."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spot: dict[str, datetime] = {}
        self._rebalance: dict[str, datetime] = {}

    def spot(self, instance: str, at: datetime) -> None:
        """Announce that EC2 takes a spot instance back.

        Args:
            instance: Its id.
            at: When it ends: two minutes after the notice. Without a zone it is UTC.
        """
        with self._lock:
            self._spot[instance] = at

    def rebalance(self, instance: str, at: datetime) -> None:
        """Recommend to replace an instance; `at` is now."""
        with self._lock:
            self._rebalance[instance] = at

    def forget(self, instance: str) -> None:
        """Take back what was announced to an instance."""
        with self._lock:
            self._spot.pop(instance, None)
            self._rebalance.pop(instance, None)

    def reset(self) -> None:
        """Take back everything."""
        with self._lock:
            self._spot.clear()
            self._rebalance.clear()

    def of(self, instance: str) -> tuple[datetime | None, datetime | None]:
        """Return the times of the spot notice and of the recommendation to an instance."""
        with self._lock:
            return self._spot.get(instance), self._rebalance.get(instance)
