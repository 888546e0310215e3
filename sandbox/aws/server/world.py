"""What the server keeps beside moto's account: one object, made once for each process."""

from typing import Final

from sandbox.aws.server.calls import Calls
from sandbox.aws.server.clock import Clock
from sandbox.aws.server.events import Events
from sandbox.aws.server.faults import Capacity, Faults


class World:
    """The clock, what was called, and what is to go wrong.

    Attributes:
        clock: The lock and the time of the account.
        calls: How often each operation was called.
        faults: Errors to answer.
        capacity: Pools without instances.
        events: What groups tell of their instances.
        baseline: Service and id of what an account has from its start.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.calls = Calls()
        self.faults = Faults()
        self.capacity = Capacity()
        self.events = Events()
        self.baseline: set[tuple[str, str]] = set()


# moto finds its own parts through the methods of its classes, which know no object of ours: what
# they need is here.
WORLD: Final = World()
