"""An account as new."""

from moto.core.base_backend import BackendDict

from sandbox.aws.server import groups
from sandbox.aws.server.world import WORLD


def reset() -> None:
    """Forget everything that was made, called or set; settings of the process stay."""
    WORLD.clock.forget()
    groups.reset()
    # Before moto makes its parts anew, which write down what an account has from its start.
    WORLD.baseline.clear()
    BackendDict.reset()
    WORLD.calls.clear()
    WORLD.faults.clear()
    WORLD.capacity.clear()
