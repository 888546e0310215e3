"""What changing each setting does to a running cluster, as the README's table says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from components.settings.model import Change, LocalSettings, key_of
from tests.conftest import THOROUGH
from tests.local.cluster import Cluster, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable

# In this order: in place, rolls the workers, replaces the scheduler.
EDITS: list[dict[str, Any]] = [
    {
        "workers": 2,
        "maxWorkers": 3,
        "groups": {"other": {"workers": 1}},
        "idleStop": "2 h",
        "noClientStop": "3 h",
    },
    {
        "threads": 4,
        "processes": 2,
        "memory": "600 MiB",
        "resources": {"GPU": 2},
        "lifetime": "2 h",
        "drainTimeout": "5 minutes",
    },
    {
        "dask": {"distributed": {"scheduler": {"allowed-failures": 7}}},
        "schedulerPort": free_ports(1)[0],
        "dashboardPort": free_ports(1)[0],
        "packages": ["cowsay==6.1"],
    },
]


def edits() -> list[dict[str, Any]]:
    """Return one edit after the other, on top of those before it; None removes a key.

    Keys that change nothing that runs can always stand together: one that did would show.
    """
    in_place, *others = EDITS
    if THOROUGH:
        others = [{key: value} for edit in others for key, value in edit.items()]
    return [in_place, {"groups": None, **others[0]}, *others[1:]]


def documented() -> dict[str, str]:
    """What the models say of each key: the README's table is made from it."""
    found = {}
    for name, field in LocalSettings.model_fields.items():
        assert isinstance(field.json_schema_extra, dict)
        found[key_of(name)] = str(field.json_schema_extra["changing"])
    return found


def seen(before: dict[str, int], after: dict[str, int]) -> str:
    """Say which processes of the first table are still the same in the second."""
    running = {name for name, pid in before.items() if pid}
    same = {name for name in running if after.get(name) == before[name]}
    if same == running:
        return Change.IN_PLACE.value
    if same == {"scheduler"}:
        return Change.ROLLS_WORKERS.value
    return Change.REPLACES_SCHEDULER.value if not same else f"keeps only {sorted(same)}"


# Each setting is an `up` or two.
@pytest.mark.timeout(1800)
def test_each_setting_changes_what_the_table_says(project: Callable[..., Cluster]) -> None:
    cluster = project(workers=1)
    cluster.up()
    found: dict[str, str] = {}
    before = cluster.pids()
    for edit in edits():
        cluster.edit(**edit)
        cluster.up()
        after = cluster.pids()
        found |= {key: seen(before, after) for key, value in edit.items() if value is not None}
        before = after
    # `platform` has a single value so far: there is nothing to change it to.
    assert found | {"platform": Change.REPLACES_EVERYTHING.value} == documented()
    version = "import cowsay; print(cowsay.__version__)"
    assert cluster.command("run", "local", "--", "python", "-c", version).strip() == "6.1"
