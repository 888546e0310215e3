"""Auto Scaling groups as a state machine of ours, in place of moto's.

`model` says what a group is, `machine` what it does, `api_*` what callers may do with it.
"""

from collections.abc import Iterator

from moto.autoscaling import urls

from sandbox.aws.server.groups.model import REGIONS
from sandbox.aws.server.groups.responses import GroupsResponse


def apply() -> None:
    """Answer Auto Scaling in place of moto."""
    urls.url_paths["{0}/$"] = GroupsResponse.dispatch


def contents() -> Iterator[dict[str, str]]:
    """List groups and policies, for the listing of the account."""
    for name, region in REGIONS.items():
        names = {"group": list(region.groups), "policy": list(region.policies)}
        for kind, ids in names.items():
            for one in ids:
                yield {"service": "autoscaling", "type": kind, "region": name, "id": one}


def reset() -> None:
    """Forget everything."""
    REGIONS.clear()
