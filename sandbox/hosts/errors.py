"""What can go wrong with hosts."""

from sandbox.machine.errors import MachineError


class HostsError(MachineError):
    """This machine cannot be, or no longer is, a cloud; the message says what to do."""
