"""What stands beside the models, by hand or generated: Pulumi.yaml, schema, table."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import (
    PLATFORMS,
    PROJECT,
    Change,
    KubernetesSettings,
    LocalSettings,
    Settings,
    VmSettings,
    document,
    load_file,
)
from components.settings.__main__ import write
from components.settings.keys import key_of

ROOT = Path(__file__).resolve().parents[2]
STACKS = ROOT / "stacks"
RENEW = "stale: run `python -m components.settings --write`"


def test_pulumi_yaml_is_exactly_this() -> None:
    """Pulumi ignores a misspelled key: `stackConfigDirs` would give every stack an empty file."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    described = document.schema()["definitions"]
    declared = project.pop("config")
    assert project.pop("description")
    assert project == {
        "name": PROJECT,
        "runtime": {"name": "python", "options": {"toolchain": "uv", "virtualenv": ".venv"}},
        "stackConfigDir": "stacks",
        "options": {"refresh": "always"},
    }
    assert {key: value["type"] for key, value in declared.items()} == {
        "platform": "string",
        "workers": "integer",
    }
    for key, value in declared.items():
        assert set(value) == {"type", "description"}
        assert described[key]["description"].startswith(value["description"])


def test_the_keys_that_pulumi_requires_are_those_of_every_platform() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    required = [
        {key_of(name) for name, field in model.model_fields.items() if field.is_required()}
        for model in PLATFORMS.values()
    ]
    assert set.intersection(*required) == set(project["config"])


def test_the_schema_is_not_stale() -> None:
    assert (STACKS / "schema.json").read_text() == document.schema_text(), RENEW


def test_the_readme_is_not_stale() -> None:
    text = (STACKS / "README.md").read_text()
    assert document.with_table(text) == text, RENEW


def test_write_renews_both(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"a\n{document.BEGIN}\nold\n{document.END}\nz\n")
    write(tmp_path)
    text = (tmp_path / "README.md").read_text()
    made = f"{document.table()}\n{document.group_keys()}"
    assert text == f"a\n{document.BEGIN}\n\n{made}\n{document.END}\nz\n"
    assert (tmp_path / "schema.json").read_text() == document.schema_text()


def test_a_readme_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="needs these two lines"):
        document.with_table(document.BEGIN)


def rows() -> dict[tuple[str, str], list[str]]:
    """The rows of the table by key and platforms."""
    text = document.table().replace("`", "")
    lines = [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]
    found = {(key, platforms): rest for key, platforms, *rest in lines}
    assert len(found) == len(lines)
    return found


def test_the_table_says_what_changing_a_key_does() -> None:
    said = {at: Change(row[2]) for at, row in rows().items()}
    assert said == {
        **dict.fromkeys(
            [("platform", "all"), ("region", "vm"), ("vpc", "vm")]
            + [(each, "kubernetes") for each in ("context", "namespace")]
            + [(f"vpc.{each}", "vm") for each in ("zones", "cidr", "id", "subnets")],
            Change.REPLACES_EVERYTHING,
        ),
        **dict.fromkeys(
            [("dask", "all"), ("packages", "all")]
            + [(each, "local") for each in ("schedulerPort", "dashboardPort")]
            + [(each, "vm") for each in ("schedulerInstanceType", "images", "allowedCidrs")]
            + [(each, "kubernetes") for each in REPLACES_SCHEDULER_POD],
            Change.REPLACES_SCHEDULER,
        ),
        **dict.fromkeys(
            [("processes", "all"), ("resources", "all"), ("drainTimeout", "all")]
            + [(each, "local") for each in ("threads", "memory")]
            + [(each, "kubernetes") for each in ("cpu", "memory", "disk")]
            + [("lifetime", "local, kubernetes")]
            + [(f"efs.{each}", "vm") for each in ("mount", "id")]
            + [(f"lustre.{each}", "vm") for each in ("mount", "size", "id", "mountName")]
            + [(each, "vm") for each in ROLLS_INSTANCES],
            Change.ROLLS_WORKERS,
        ),
        **dict.fromkeys(
            [(each, "all") for each in ("workers", "maxWorkers", "groups")]
            + [(each, "all") for each in ("idleStop", "noClientStop")]
            + [(each, "vm") for each in IN_PLACE_ON_INSTANCES]
            + [(each, "kubernetes") for each in IN_PLACE_IN_PODS],
            Change.IN_PLACE,
        ),
    }


ROLLS_INSTANCES = (
    "efs",
    "lustre",
    "instanceTypes",
    "architecture",
    "spot",
    "rootVolume",
    "spillToNvme",
    "threadsPerCore",
    "placementGroup",
    "network",
    "capacityReservation",
)
IN_PLACE_ON_INSTANCES = (
    "onDemandFloor",
    "allOrNothing",
    "lifetime",
    "egress",
    "flowLogs",
    "readBuckets",
    "writeBuckets",
    "tags",
    "monthlyBudget",
    "startTimeout",
    "alarmEmails",
)
REPLACES_SCHEDULER_POD = (
    "imageRepository",
    "image",
    "baseImage",
    "schedulerCpu",
    "schedulerMemory",
)
IN_PLACE_IN_PODS = (
    "autoscaler",
    "serviceType",
    "allowedCidrs",
    "jupyter",
    *(f"jupyter.{each}" for each in ("cpu", "memory", "home", "storageClass")),
    "startTimeout",
)


def test_the_table_has_every_key_with_its_platforms() -> None:
    models = PLATFORMS.items()
    for key in {key_of(name) for _, model in models for name in model.model_fields}:
        having = {name for name, model in models if key in map(key_of, model.model_fields)}
        # A key that means something else on some platform has several rows.
        said = [platforms for at, platforms in rows() if at == key]
        listed = [each for row in said for each in row.split(", ")]
        assert len(listed) == len(set(listed)), key
        assert (set(PLATFORMS) if listed == ["all"] else set(listed)) == having, key


@pytest.mark.parametrize(("platform", "model"), PLATFORMS.items())
def test_the_readme_lists_the_keys_of_a_group(platform: str, model: type[Settings]) -> None:
    fields = model.group_model.model_fields
    listed = document.group_keys().partition(f"on `{platform}` ")[2].partition(";")[0]
    listed = listed.partition(". ")[0]
    assert re.findall(r"`(\w+)`", listed) == [key_of(name) for name in fields]
    required = [key_of(name) for name, field in fields.items() if field.is_required()]
    assert re.findall(r"`(\w+)` \(required\)", listed) == required


def test_the_keys_of_a_group() -> None:
    every = ["workers", "maxWorkers", "processes", "resources"]
    of_local = ["threads", "memory"]
    of_vm = [
        *("instanceTypes", "architecture", "spot", "onDemandFloor", "rootVolume", "spillToNvme"),
        *("threadsPerCore", "placementGroup", "network", "capacityReservation", "allOrNothing"),
    ]
    of_kubernetes = ["cpu", "memory", "disk", "autoscaler"]
    local, vm = LocalSettings.group_model, VmSettings.group_model
    assert [key_of(name) for name in local.model_fields] == every + of_local
    assert [key_of(name) for name in vm.model_fields] == every + of_vm
    pods = KubernetesSettings.group_model
    assert [key_of(name) for name in pods.model_fields] == every + of_kubernetes


@pytest.mark.parametrize(("platform", "model"), PLATFORMS.items())
def test_the_keys_of_a_group_are_described_as_those_at_the_top(
    platform: str, model: type[Settings]
) -> None:
    definitions = document.schema()["definitions"]
    at_the_top = definitions[f"config-{platform}"]["properties"]
    group = definitions[model.group_model.__name__]
    for name, field in model.group_model.model_fields.items():
        top, key = model.model_fields[name], key_of(name)
        assert (top.description, top.annotation) == (field.description, field.annotation), name
        assert group["properties"][key] == at_the_top[key] == at_the_top[f"{PROJECT}:{key}"]
    assert group["additionalProperties"] is False


LEAST: dict[str, dict[str, Any]] = {
    "local": {"platform": "local", "workers": 2},
    "vm": {
        "platform": "vm",
        "workers": 2,
        "region": "us-east-1",
        "vpc": {"zones": ["us-east-1a"]},
        "instanceTypes": ["m7i.large"],
    },
    "kubernetes": {
        "platform": "kubernetes",
        "workers": 2,
        "context": "kind-kind",
        "imageRepository": "ghcr.io/me/dask",
    },
}
# What an example of a key needs beside it.
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("local", "processes"): {"threads": 2},
    ("vm", "onDemandFloor"): {"spot": True},
    ("vm", "spillToNvme"): {"instanceTypes": ["m6id.large"]},
    ("vm", "network"): {"instanceTypes": ["m7i.48xlarge"]},
    ("vm", "monthlyBudget"): {"alarmEmails": ["someone@example.org"]},
    ("kubernetes", "processes"): {"cpu": 2},
    ("kubernetes", "image"): {"imageRepository": None},
    ("kubernetes", "serviceType"): {"allowedCidrs": ["203.0.113.0/24"]},
    ("kubernetes", "allowedCidrs"): {"serviceType": "NodePort"},
}


def described(platform: str) -> dict[str, Any]:
    """What the schema says of each key of a platform."""
    definitions = document.schema()["definitions"]
    keys = definitions[f"config-{platform}"]["properties"]
    names = {key: each["$ref"].rpartition("/")[2] for key, each in keys.items() if ":" not in key}
    assert list(names) == [key_of(name) for name in PLATFORMS[platform].model_fields]
    return {key: definitions[name] for key, name in names.items()}


@pytest.mark.parametrize(("platform", "model"), PLATFORMS.items())
def test_the_defaults_that_are_shown_are_the_models(
    tmp_path: Path, platform: str, model: type[Settings]
) -> None:
    shown = {k: v["default"] for k, v in described(platform).items() if "default" in v}
    path, least = tmp_path / "Pulumi.x.yaml", tmp_path / "Pulumi.y.yaml"
    path.write_text(yaml.safe_dump({"config": LEAST[platform] | shown}))
    least.write_text(yaml.safe_dump({"config": LEAST[platform]}))
    assert load_file(path) == load_file(least)
    fields = model.model_fields.values()
    unset = [each for each in fields if each.is_required() or each.get_default() is None]
    assert len(shown) == len(fields) - len(unset)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_examples_in_the_schema_are_right(tmp_path: Path, platform: str) -> None:
    for key, value in described(platform).items():
        path = tmp_path / "Pulumi.x.yaml"
        more = BESIDE.get((platform, key), {})
        example = platform if key == "platform" else value["examples"][0]
        path.write_text(yaml.safe_dump({"config": LEAST[platform] | more | {key: example}}))
        assert load_file(path).platform == platform
