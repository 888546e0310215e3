"""What groups tell others about their instances."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["running", "terminating", "ended"]


@dataclass(frozen=True)
class Event:
    """Something that happened to an instance of a group.

    Attributes:
        kind: It runs now; it waits for its termination hooks; it is gone.
        region: Where.
        group: The name of its Auto Scaling group.
        instance: Its id.
        address: Its private address.
        hooks: The hooks that it waits for now.
        tags: Its tags.
        user_data: What it boots with.
    """

    kind: Kind
    region: str
    group: str
    instance: str
    address: str = ""
    hooks: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    user_data: str = ""


class Events:
    """Tells whoever wants to know; under the clock's lock, so a listener must be quick."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Event], None]] = []

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Tell somebody of every event from now on."""
        self._listeners.append(listener)

    def tell(self, event: Event) -> None:
        """Tell of an event."""
        for listener in self._listeners:
            listener(event)
