"""The stack files that are shipped: what each of them says, whole."""

import re
from pathlib import Path
from typing import Any

import yaml

from components.settings import SettingsError, load_file

STACKS = Path(__file__).resolve().parents[2] / "stacks"

EVERY_PLATFORM: dict[str, Any] = {
    "max_workers": None,
    "processes": 1,
    "resources": {},
    "groups": {},
    "lifetime": None,
    "drain_timeout": 900.0,
    "idle_stop": None,
    "no_client_stop": None,
    "dask": {},
    "packages": (),
}
VM: dict[str, Any] = EVERY_PLATFORM | {
    "platform": "vm",
    "region": "us-east-2",
    "architecture": "x86_64",
    "on_demand_floor": 0,
    "spot": False,
    "root_volume": 50 * 2**30,
    "spill_to_nvme": False,
    "threads_per_core": None,
    "placement_group": False,
    "network": "standard",
    "capacity_reservation": None,
    "all_or_nothing": False,
    "egress": "nat",
    "flow_logs": False,
    "allowed_cidrs": (),
    "scheduler_instance_type": "m7i.large",
    "images": {},
    "read_buckets": (),
    "write_buckets": (),
    "efs": None,
    "lustre": None,
    "tags": {},
    "monthly_budget": None,
    "start_timeout": 900.0,
    "alarm_emails": (),
}
MANY_LOSSES = {"distributed": {"scheduler": {"allowed-failures": 10}}}


def new_vpc(*letters: str) -> dict[str, Any]:
    zones = tuple(f"us-east-2{each}" for each in letters)
    return {"cidr": "10.0.0.0/16", "zones": zones, "id": None, "subnets": ()}


SHIPPED = {
    "local": EVERY_PLATFORM
    | {
        "platform": "local",
        "workers": 2,
        "threads": 1,
        "memory": 2**30,
        "scheduler_port": 8786,
        "dashboard_port": 8787,
    },
    "dev": VM
    | {
        "vpc": new_vpc("a"),
        "workers": 2,
        "instance_types": ("m7i.large", "m6i.large", "m5.large"),
        "spot": True,
        "idle_stop": 1800.0,
        "no_client_stop": 7200.0,
        "dask": MANY_LOSSES,
    },
    "staging": VM
    | {
        "vpc": new_vpc("a", "b"),
        "flow_logs": True,
        "workers": 2,
        "max_workers": 8,
        "instance_types": ("m7i.xlarge", "m6i.xlarge", "m5.xlarge"),
        "spot": True,
        "on_demand_floor": 1,
        "processes": 2,
        "idle_stop": 3600.0,
        "dask": MANY_LOSSES,
        "monthly_budget": 500,
        "alarm_emails": ("dask@example.org",),
    },
    "prod": VM
    | {
        "vpc": new_vpc("a", "b", "c"),
        "egress": "natPerZone",
        "flow_logs": True,
        "scheduler_instance_type": "r7i.large",
        "workers": 8,
        "instance_types": ("m7i.2xlarge", "m6i.2xlarge", "m6id.2xlarge", "m5.2xlarge"),
        "spot": True,
        "on_demand_floor": 2,
        "root_volume": 100 * 2**30,
        "processes": 2,
        "dask": MANY_LOSSES,
        "monthly_budget": 5000,
        "alarm_emails": ("dask@example.org",),
    },
    "hpc": VM
    | {
        "vpc": new_vpc("b"),
        "workers": 4,
        "instance_types": ("hpc7a.96xlarge",),
        "processes": "auto",
        "placement_group": True,
        "network": "efa",
        "all_or_nothing": True,
        "lustre": {"mount": "/fsx", "size": 1200 * 2**30, "id": None, "mount_name": None},
        "idle_stop": 1800.0,
    },
    "kubernetes": EVERY_PLATFORM
    | {
        "platform": "kubernetes",
        "context": "kind-kind",
        "namespace": None,
        "image_repository": "localhost:5001/dask-cluster",
        "image": None,
        "base_image": None,
        "workers": 2,
        "cpu": 0.5,
        "memory": 2**30,
        "disk": 2 * 2**30,
        "autoscaler": "scaler",
        "scheduler_cpu": 0.5,
        "scheduler_memory": 2**30,
        "service_type": "ClusterIP",
        "allowed_cidrs": (),
        "jupyter": None,
        "start_timeout": 900.0,
    },
}


def test_every_shipped_stack_file_gives_this_model() -> None:
    found = {
        path.name.split(".")[1]: load_file(path).model_dump()
        for path in STACKS.glob("Pulumi.*.yaml")
    }
    assert found == SHIPPED


def test_shipped_stack_files_begin_with_the_schema_for_editors() -> None:
    for path in STACKS.glob("Pulumi.*.yaml"):
        first = path.read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=schema.json"
        assert "secure:" not in path.read_text()
        assert len(path.read_text().splitlines()) <= 25


def test_the_lines_to_uncomment_are_right(tmp_path: Path) -> None:
    """A line such as `# maxWorkers: 8  # why` becomes a setting by taking the first sign away."""
    found = set()
    for path in STACKS.glob("Pulumi.*.yaml"):
        text, count = re.subn(r"(?m)^  # (\w+: \S+)", r"  \1", path.read_text())
        again = tmp_path / path.name
        again.write_text(text)
        if count:
            assert load_file(again) != load_file(path)
            found.add(path.name.split(".")[1])
    assert found == {"local", "prod", "hpc", "kubernetes"}


# Said though it is the default: who edits this file looks for it.
SAID_ANYWAY = {("dev", "onDemandFloor"), ("local", "threads"), ("local", "memory")}


def test_every_line_says_something(tmp_path: Path) -> None:
    """Without any one of its keys a stack file is wrong, or another stack."""
    silent = set()
    for path in STACKS.glob("Pulumi.*.yaml"):
        config = yaml.safe_load(path.read_text())["config"]
        for key in config:
            again = tmp_path / path.name
            again.write_text(yaml.safe_dump({"config": {k: config[k] for k in config if k != key}}))
            try:
                same = load_file(again) == load_file(path)
            except SettingsError:
                same = False
            if same:
                silent.add((path.name.split(".")[1], key))
    assert silent == SAID_ANYWAY
