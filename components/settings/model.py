"""The platforms, each a frozen model with all of its keys."""

from components.settings.base import Settings
from components.settings.keys import Change, key_of
from components.settings.kubernetes import KubernetesSettings
from components.settings.kubernetes_group import KubernetesWorkerGroup
from components.settings.kubernetes_parts import Jupyter
from components.settings.local import LocalSettings, LocalWorkerGroup
from components.settings.vm import VmSettings
from components.settings.vm_group import VmWorkerGroup
from components.settings.vm_parts import Efs, Lustre, Vpc
from components.settings.worker_group import WorkerGroup

__all__ = [
    "PLATFORMS",
    "Change",
    "Efs",
    "Jupyter",
    "KubernetesSettings",
    "KubernetesWorkerGroup",
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

PLATFORMS: dict[str, type[Settings]] = {
    "local": LocalSettings,
    "vm": VmSettings,
    "kubernetes": KubernetesSettings,
}
"""A further platform is a model with its own keys, and one entry here."""
