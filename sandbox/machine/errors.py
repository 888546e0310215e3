"""What can go wrong with this machine."""


class MachineError(Exception):
    """This machine cannot be, or no longer is, what a rehearsal needs; the message says more."""
