"""Single values about Kubernetes: what is read, what is refused, and what editors are told."""

from typing import Any

import pytest

from components.settings import KubernetesSettings, SettingsError, document, load
from components.settings.keys import key_of
from tests.settings.test_schema import matches

GIB, MIB, TIB = 2**30, 2**20, 2**40
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
LEAST: dict[str, Any] = {
    "platform": "kubernetes",
    "workers": 2,
    "context": "kind-kind",
    "imageRepository": "ghcr.io/me/dask",
}
# What the others leave to each of these keys.
BESIDE: dict[str, dict[str, Any]] = {
    "image": {"imageRepository": None},
    "serviceType": {"allowedCidrs": ["203.0.113.0/24"]},
}
YES = True
SCHEMA = document.schema()


def written(key: str, value: Any) -> dict[str, Any]:  # noqa: ANN401
    return LEAST | BESIDE.get(key, {}) | {key: value}


def read(values: dict[str, Any]) -> KubernetesSettings:
    found = load({f"dask-cluster:{key}": value for key, value in values.items()})
    assert isinstance(found, KubernetesSettings)
    return found


RIGHT: list[tuple[str, Any, Any]] = [
    ("context", " kind-kind ", "kind-kind"),
    ("context", "kubernetes-admin@kubernetes", "kubernetes-admin@kubernetes"),
    ("context", "gke_my-project_us-east1_a", "gke_my-project_us-east1_a"),
    ("context", "two words", "two words"),
    ("namespace", "default", "default"),
    ("namespace", "0-a", "0-a"),
    ("namespace", "kube", "kube"),
    ("namespace", "a" * 63, "a" * 63),
    ("namespace", "null", None),
    ("imageRepository", "localhost:5001/dask", "localhost:5001/dask"),
    ("imageRepository", " ghcr.io/me/dask ", "ghcr.io/me/dask"),
    ("imageRepository", "my__name/a.b-c--d/e_f", "my__name/a.b-c--d/e_f"),
    ("imageRepository", "10.0.0.1:5000/dask", "10.0.0.1:5000/dask"),
    ("imageRepository", f"a/{'b' * 253}", f"a/{'b' * 253}"),
    ("image", f"ghcr.io/me/dask@{DIGEST}", f"ghcr.io/me/dask@{DIGEST}"),
    ("image", f"localhost:5001/dask@{DIGEST}", f"localhost:5001/dask@{DIGEST}"),
    ("image", f"dask@{DIGEST}", f"dask@{DIGEST}"),
    ("baseImage", "python:3.11-slim-bookworm", "python:3.11-slim-bookworm"),
    ("baseImage", "a.b:5000/python:3.11-Slim", "a.b:5000/python:3.11-Slim"),
    ("baseImage", f"python:latest@{DIGEST}", f"python:latest@{DIGEST}"),
    ("baseImage", f"python@{DIGEST}", f"python@{DIGEST}"),
    ("cpu", 0.05, 0.05),
    ("cpu", "0.125", 0.125),
    ("cpu", 512, 512.0),
    ("cpu", 0.999, 0.999),
    ("schedulerCpu", 2, 2.0),
    ("memory", "4Gi", 4 * GIB),
    ("memory", "32 TiB", 32 * TIB),
    ("schedulerMemory", 256 * MIB, 256 * MIB),
    ("disk", "1 GiB", GIB),
    ("disk", "64 TiB", 64 * TIB),
    ("serviceType", "NodePort", "NodePort"),
    ("autoscaler", "scaler", "scaler"),
    ("drainTimeout", "24 h", 86400.0),
    ("startTimeout", "3 h", 10800.0),
    ("jupyter", None, None),
    ("jupyter", "null", None),
]


@pytest.mark.parametrize(("key", "value", "kept"), RIGHT)
def test_a_right_value(key: str, value: Any, kept: Any) -> None:  # noqa: ANN401
    name = next(each for each in KubernetesSettings.model_fields if key_of(each) == key)
    assert getattr(read(written(key, value)), name) == kept
    assert matches(SCHEMA, {"config": written(key, value)}, SCHEMA)


Case = tuple[str, Any, bool]


def refused(key: str, *values: Any) -> list[Case]:  # noqa: ANN401
    """What we refuse and an editor marks."""
    return [(key, each, False) for each in values]


def told(key: str, *values: Any) -> list[Case]:  # noqa: ANN401
    """What we refuse and the schema cannot say."""
    return [(key, each, True) for each in values]


WRONG = [
    *refused("context", "", "  ", None, 7, "a\nb", YES),
    *refused("namespace", "A", "a_b", "a.b", "-a", "a-", "a" * 64, "dask/a", "ä", 7, ["a"], "a\nb"),
    *told("namespace", "kube-system", "kube-public", "kube-node-lease", "kube-mine"),
    *refused(
        "imageRepository",
        "dask",
        "GHCR.io/me/dask",
        "ghcr.io/Me/dask",
        "ghcr.io/me/dask:1",
        f"ghcr.io/me/dask@{DIGEST}",
        "localhost:5001",
        "https://ghcr.io/me/dask",
        "oci://ghcr.io/me/dask",
        "ghcr.io//dask",
        "ghcr.io/me/dask/",
        "/me/dask",
        "ghcr.io/me/da sk",
        "ghcr.io/me/-dask",
        "ghcr.io/me/a___b",
        "ghcr.io:/me",
        7,
        {"host": "ghcr.io"},
    ),
    *told("imageRepository", f"a/{'b' * 254}"),
    *refused(
        "image",
        "ghcr.io/me/dask",
        "ghcr.io/me/dask:latest",
        "ghcr.io/me/dask:2026.1",
        f"ghcr.io/me/dask:1@{DIGEST}",
        f"ghcr.io/me/dask@{DIGEST[:-1]}",
        f"ghcr.io/me/dask@{DIGEST}0",
        f"ghcr.io/me/dask@{DIGEST.upper()}",
        f"ghcr.io/me/dask@sha512:{'0' * 128}",
        "ghcr.io/me/dask@",
        f"ghcr.io/me/Dask@{DIGEST}",
        f"@{DIGEST}",
        DIGEST,
        7,
    ),
    *refused("baseImage", "python", "Python:3.11", "python:", "python:-1", "python@sha256:0", 3.11),
    *told("baseImage", "python:latest", "docker.io/library/python:latest"),
    *refused("cpu", 0, 0.04, -1, 513, "500m", "two", "", None, YES, [1], "1 core", float("nan")),
    *told("cpu", "0", "0.0499", "512.001", "0.1234", 0.1234),
    *refused("schedulerCpu", 0, "1000m"),
    *refused("memory", -1, "much", None, YES, "4 GiB of"),
    *told("memory", "33 TiB", 2**46),
    *refused("schedulerMemory", 2, "", None),
    *told("schedulerMemory", "255 MiB", "33 TiB"),
    *refused("disk", 10, None),
    *told("disk", "1 GB", "65 TiB"),
    *refused("serviceType", "clusterIP", "ExternalName", "", None, 1),
    *refused("autoscaler", "HPA", "keda", "", None, YES),
    *refused(
        "jupyter",
        YES,
        [],
        "lab",
        {"cpu": 0},
        {"memory": 1},
        {"home": None},
        {"home": 10},
        {"storageClass": "Fast"},
        {"storageClass": "a..b"},
        {"storageClass": "a" * 254},
        {"storage_class": "fast"},
        {"image": "x"},
    ),
    *told("jupyter", {"cpu": "513"}, {"memory": "100 MiB"}, {"home": "100 TiB"}),
    *refused("startTimeout", 9, "soon", None, 10801),
    *refused("drainTimeout", 86401),
]


@pytest.mark.parametrize(("key", "value", "only_we"), WRONG)
def test_a_wrong_value(key: str, value: Any, only_we: bool) -> None:  # noqa: ANN401, FBT001
    with pytest.raises(SettingsError) as caught:
        read(written(key, value))
    assert {each.key.partition(".")[0] for each in caught.value.problems} == {key}
    assert {each.rule for each in caught.value.problems} == {""}
    assert matches(SCHEMA, {"config": written(key, value)}, SCHEMA) == only_we


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("cpu", "500m", "not a number of CPUs. Write for example `0.5`"),
        ("cpu", "1250m", "Write for example `1.25`"),
        ("cpu", "2000m", "Write for example `2`."),
        ("cpu", 0.0625, "Write at most three decimals"),
        ("image", "ghcr.io/me/dask", "may be another image tomorrow, `:latest` moves"),
        ("image", "ghcr.io/me/dask:v1", "may be another image tomorrow, `:v1` moves"),
        ("image", f"a/dask:v1@{DIGEST}", "a tag and a digest. Leave out `:v1`"),
        ("image", "a/dask@sha256:12", "has no right digest"),
        ("imageRepository", "dask", "says neither a registry nor an account"),
        ("imageRepository", "a.b:5000/dask:v1", "Write `a.b:5000/dask`"),
        ("imageRepository", "https://ghcr.io/me", "is an address. Leave out the scheme"),
        ("imageRepository", "ghcr.io/Me/dask", "has capital letters"),
        ("namespace", "kube-system", "Kubernetes keeps `kube-` for itself"),
        ("disk", "512 MiB", "is too small. Write at least `1 GiB`"),
        ("memory", "40 TiB", "is too large. Write at most `32 TiB`"),
    ],
)
def test_what_is_said_of_a_wrong_value(key: str, value: Any, said: str) -> None:  # noqa: ANN401
    with pytest.raises(SettingsError) as caught:
        read(written(key, value))
    assert said in str(caught.value)
