"""The one error that the engine raises for a person to read."""


class EngineError(Exception):
    """What went wrong, where, and what to do: a message that is shown as it is."""
