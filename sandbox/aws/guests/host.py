"""What a host knows of itself, from its tags and its user data."""

import re
import shlex
from dataclasses import dataclass
from typing import Final

from sandbox.aws.server.events import Event

CLUSTER_TAG: Final = "dask-cluster"
GROUP_TAG: Final = "dask-cluster:group"
SCHEDULER: Final = "scheduler"
_SETTING: Final = re.compile(r"^([A-Z][A-Z_]*)=(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Host:
    """One instance as it sees itself.

    Attributes:
        id: The instance.
        region: Where it is.
        auto_scaling_group: Whose it is.
        cluster: The cluster's name.
        group: `scheduler` or the name of a group of workers.
        address: Its private address.
        settings: What its user data says, such as ``ENVIRONMENT``; empty without any.
    """

    id: str
    region: str
    auto_scaling_group: str
    cluster: str
    group: str
    address: str
    settings: dict[str, str]

    @property
    def is_scheduler(self) -> bool:
        """Whether it is the cluster's scheduler."""
        return self.group == SCHEDULER

    @property
    def prefix(self) -> str:
        """What the names of the cluster's parameters begin with."""
        return f"/dask-cluster/{self.cluster}"


def read(event: Event) -> Host | None:
    """Read a host from an event; None if it is no host of a cluster."""
    cluster, group = event.tags.get(CLUSTER_TAG), event.tags.get(GROUP_TAG)
    if not cluster or not group:
        return None
    return Host(
        id=event.instance,
        region=event.region,
        auto_scaling_group=event.group,
        cluster=cluster,
        group=group,
        address=event.address,
        settings=_settings(event.user_data),
    )


def _settings(user_data: str) -> dict[str, str]:
    """Read the lines NAME=value, quoted as a shell reads them."""
    settings: dict[str, str] = {}
    for name, value in _SETTING.findall(user_data):
        try:
            words = shlex.split(value)
        except ValueError:
            continue  # a line of shell, not a setting
        settings.setdefault(name, words[0] if len(words) == 1 else value)
    return settings
