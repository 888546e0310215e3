"""The settings of a stack: what may stand in a stack file, read and checked.

Knows neither Pulumi nor a cloud. `load` reads what Pulumi hands to a program, `load_file` a stack
file; both give the same model, or a `SettingsError` with everything that is wrong.
"""

from components.settings.keys import Change
from components.settings.layout import Layout, nprocesses
from components.settings.load import PROJECT, load, load_file
from components.settings.model import (
    PLATFORMS,
    Efs,
    Jupyter,
    KubernetesSettings,
    KubernetesWorkerGroup,
    LocalSettings,
    LocalWorkerGroup,
    Lustre,
    Settings,
    VmSettings,
    VmWorkerGroup,
    Vpc,
)
from components.settings.problems import Problem, SettingsError
from components.settings.worker_group import WorkerGroup

__all__ = [
    "PLATFORMS",
    "PROJECT",
    "Change",
    "Efs",
    "Jupyter",
    "KubernetesSettings",
    "KubernetesWorkerGroup",
    "Layout",
    "LocalSettings",
    "LocalWorkerGroup",
    "Lustre",
    "Problem",
    "Settings",
    "SettingsError",
    "VmSettings",
    "VmWorkerGroup",
    "Vpc",
    "WorkerGroup",
    "load",
    "load_file",
    "nprocesses",
]
