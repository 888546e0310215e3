"""The platforms, each a frozen model with all of its keys."""

from components.settings.base import Settings
from components.settings.keys import Change, key_of
from components.settings.local import LocalSettings, LocalWorkerGroup
from components.settings.vm import VmSettings
from components.settings.vm_group import VmWorkerGroup
from components.settings.vm_parts import Efs, Lustre, Vpc
from components.settings.worker_group import WorkerGroup

__all__ = [
    "PLATFORMS",
    "Change",
    "Efs",
    "LocalSettings",
    "LocalWorkerGroup",
    "Lustre",
    "Settings",
    "VmSettings",
    "VmWorkerGroup",
    "Vpc",
    "WorkerGroup",
    "key_of",
]

PLATFORMS: dict[str, type[Settings]] = {"local": LocalSettings, "vm": VmSettings}
"""A further platform is a model with its own keys, and one entry here."""
