"""How many scattered keys are lost when real pods of workers become fewer."""

from __future__ import annotations

import base64
import contextlib
import json
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distributed import Client, Security
from distributed.versions import VersionMismatchWarning

from benchmarks.clusters import until
from benchmarks.data import workers
from benchmarks.kubernetes_here import REPOSITORY, WORKER, Ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.kubernetes_here import Here

BEFORE, AFTER = 4, 2
BYTES = 10_000
CPU, MEMORY = "0.3", "700Mi"
CHART = "chart"
# Over what the environment has in its own configuration.
PLAIN = {
    "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "False",
    "DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME": "tcp",
    **{f"DASK_DISTRIBUTED__{kind}__PRELOAD": "[]" for kind in ("SCHEDULER", "WORKER", "NANNY")},
}


@dataclass(frozen=True)
class Keys:
    """What became of the keys.

    Attributes:
        lost: How many are gone.
        wrong: How many have another value than before.
        seconds: From the change of the number until the pods were gone.
    """

    lost: int
    wrong: int
    seconds: float


def ours(here: Here, count: int) -> tuple[Keys, str]:
    """Return what becomes of the keys with `up`, and the image that was built for it."""
    small = {"cpu": float(CPU), "memory": "700 MiB", "disk": "1 GiB"}
    scheduler = {"schedulerCpu": 0.5, "schedulerMemory": "700 MiB"}
    stack = Ours(here, "keys", imageRepository=REPOSITORY, workers=BEFORE, **small, **scheduler)
    stack.up()
    here.running(f"{stack.selector},{WORKER}", BEFORE)
    component = f"{stack.selector},app.kubernetes.io/component=scheduler"
    with connected(here, component, _security(here, stack)) as client:
        found = _shrink(client, count, lambda: _up(here, stack))
    image = str(stack.outputs()["image"])
    stack.end()
    return found, image


def _up(here: Here, stack: Ours) -> None:
    stack.up(workers=AFTER)
    here.running(f"{stack.selector},{WORKER}", AFTER)


def chart(here: Here, count: int, image: str) -> Keys:
    """Return what becomes of them with Deployments as those of Dask's chart, and `kubectl scale`.

    Args:
        here: The Kubernetes.
        count: Of keys.
        image: That of ours, with the same Dask; none of our preloads and settings is there.
    """
    here.kubectl("create", "namespace", CHART)
    service = {"selector": {"component": "scheduler"}, "ports": [{"port": 8786}]}
    here.apply(
        _deployment("scheduler", image, 1, "--port", "8786"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "dask-scheduler", "namespace": CHART},
            "spec": service,
        },
        _deployment("worker", image, BEFORE, "dask-scheduler:8786", "--no-dashboard"),
    )
    here.running("component=worker", BEFORE)

    def scale() -> None:
        words = ("deployment/dask-worker", f"--replicas={AFTER}", f"--namespace={CHART}")
        here.kubectl("scale", *words)
        here.running("component=worker", AFTER)

    with connected(here, "component=scheduler", None) as client:
        found = _shrink(client, count, scale)
    here.kubectl("delete", "deployments", "--all", f"--namespace={CHART}")
    return found


@contextlib.contextmanager
def connected(here: Here, scheduler: str, security: Security | None) -> Iterator[Client]:
    """Connect to the scheduler's pod, which this machine reaches by its address."""
    here.running(scheduler, 1)
    look = ("get", "pods", "--all-namespaces", f"--selector={scheduler}", "--output=json")
    (pod,) = json.loads(here.kubectl(*look))["items"]
    protocol = "tls" if security else "tcp"
    address = f"{protocol}://{pod['status']['podIP']}:8786"
    # The image's Python may have another last digit than this one.
    warnings.filterwarnings("ignore", category=VersionMismatchWarning)
    with Client(address, security=security, timeout=60) as client:
        yield client


def _shrink(client: Client, count: int, fewer: Callable[[], None]) -> Keys:
    until(lambda: len(workers(client)) == BEFORE, f"{BEFORE} workers")
    values = [n.to_bytes(8, "big") * (BYTES // 8) for n in range(count)]
    kept = client.scatter(values, hash=False)
    keys = [future.key for future in kept]
    holders = client.has_what()
    assert {len(there) for there in holders.values()} == {count // BEFORE}, holders
    start = time.monotonic()
    fewer()
    seconds = time.monotonic() - start
    until(lambda: len(workers(client)) == AFTER, f"{AFTER} workers")
    held = {key for there in client.has_what().values() for key in there}
    here = [n for n, key in enumerate(keys) if key in held]
    found = client.gather([kept[n] for n in here])
    wrong = sum(one != values[n] for n, one in zip(here, found, strict=True))
    return Keys(count - len(here), wrong, seconds)


def _security(here: Here, stack: Ours) -> Security:
    """Return what a client of the stack has, by its Secret."""
    look = ("get", "secret", f"dask-{stack.name}-tls-client", f"--namespace={stack.namespace}")
    data: dict[str, str] = json.loads(here.kubectl(*look, "--output=json"))["data"]
    files: dict[str, Path] = {}
    for name, text in data.items():
        files[name] = here.folder / f"client-{name}"
        files[name].touch(mode=0o600)
        files[name].write_bytes(base64.b64decode(text))
    return Security(
        tls_ca_file=str(files["authority.pem"]),
        tls_client_cert=str(files["certificate.pem"]),
        tls_client_key=str(files["key.pem"]),
        require_encryption=True,
    )


def _deployment(component: str, image: str, replicas: int, *words: str) -> dict[str, Any]:
    labels = {"app": "dask", "component": component}
    size = {"cpu": CPU, "memory": MEMORY}
    limits = ("--nthreads", "1", "--memory-limit", MEMORY) if component == "worker" else ()
    container = {
        "name": f"dask-{component}",
        "image": image,
        "args": ["dask", component, *words, *limits],
        "env": [{"name": name, "value": value} for name, value in PLAIN.items()],
        "resources": {"requests": size, "limits": size},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"dask-{component}", "namespace": CHART},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container]},
            },
        },
    }
