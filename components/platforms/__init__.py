"""Where a cluster can run. Each module is one value of the setting ``platform``."""
