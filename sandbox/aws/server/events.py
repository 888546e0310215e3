"""What groups tell others about their instances, and that something of EC2 was changed."""

from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["running", "terminating", "off", "ended"]


@dataclass(frozen=True)
class Event:
    """Something that happened to an instance of a group.

    Attributes:
        kind: It runs now; it waits for its termination hooks; EC2 shuts it down, whatever its
            group waits for; it is gone.
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


class Listener(Protocol):
    """Somebody who is told; under the clock's lock, so it must be quick."""

    def tell(self, event: Event) -> None:
        """Hear of an event."""

    def edited(self) -> None:
        """Hear that a call changed something of EC2, such as a rule of a security group."""


class Events:
    """Tells whoever wants to know."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def listen(self, listener: Listener) -> None:
        """Tell somebody of everything from now on."""
        self._listeners.append(listener)

    def tell(self, event: Event) -> None:
        """Tell of an event."""
        for listener in self._listeners:
            listener.tell(event)

    def edited(self) -> None:
        """Tell of a change of EC2."""
        for listener in self._listeners:
            listener.edited()
