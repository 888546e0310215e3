"""What can go wrong with hosts."""


class HostsError(Exception):
    """This machine cannot be, or no longer is, a cloud; the message says what to do."""
