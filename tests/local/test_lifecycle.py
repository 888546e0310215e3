"""From nothing to a cluster, to another size, to nothing: by the commands of the README."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from tests.local.cluster import ROOT, Cluster, changes

if TYPE_CHECKING:
    from collections.abc import Callable

# Every resource of a local stack, whatever its number of workers.
RESOURCES = {
    "dask": "dask-cluster:index:DaskCluster",
    "local": "dask-cluster:platforms:Local",
    "host": "pulumi-python:dynamic/local:Host",
    "authority": "pulumi-python:dynamic/certificates:Authority",
    "scheduler certificate": "pulumi-python:dynamic/certificates:Certificate",
    "worker certificate": "pulumi-python:dynamic/certificates:Certificate",
    "client certificate": "pulumi-python:dynamic/certificates:Certificate",
    "environment": "pulumi-python:dynamic/environment:Environment",
    "files": "pulumi-python:dynamic/local:Files",
    "supervisor": "pulumi-python:dynamic/local:Supervisor",
    "scheduler": "pulumi-python:dynamic/local:Scheduler",
    "worker": "pulumi-python:dynamic/local:Workers",
}
COUNT = len(RESOURCES) + 1  # and the stack itself


def shape(text: str) -> str:
    """Return a screen without its numbers, widths and names of environments."""
    text = re.sub(r"\S+/dask-cluster ", "dask-cluster ", text)
    lines = (re.sub(r" +", " ", line.strip()) for line in text.splitlines())
    return "\n".join(re.sub(r"\b[0-9a-f]{16}\b|[0-9][0-9.]*", "N", line) for line in lines)


def screen_of_the_readme() -> list[str]:
    """Return the screen that the README shows, cut where it leaves something out."""
    readme = (ROOT / "README.md").read_text()
    return shape(readme.split("```\n")[1]).split("\n...\n")


def test_a_cluster_from_up_to_destroy(project: Callable[..., Cluster]) -> None:
    cluster = project()
    printed = cluster.up()
    assert changes(printed) == {"created": COUNT}
    for words in ("tls://127.0.0.1:", "/status", "worker-0-0", "worker-1-0", "0.50 GiB"):
        assert words in printed
    assert "2 workers, 2 processes, 2 threads, 1.00 GiB of memory" in printed
    assert shape(printed).startswith("Updating (local):")
    for part in screen_of_the_readme():
        assert part in shape(printed)

    assert changes(cluster.up()) == {"unchanged": COUNT}
    before = cluster.pids()
    assert sorted(before) == ["scheduler", "worker-0", "worker-1"]

    cluster.edit(workers=4)
    assert changes(cluster.up()) == {"updated": 1, "unchanged": COUNT - 1}
    after = cluster.pids()
    assert sorted(after) == ["scheduler", "worker-0", "worker-1", "worker-2", "worker-3"]
    assert {name: after[name] for name in before} == before
    with cluster.client() as client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        assert sorted(w["name"] for w in workers) == [f"worker-{n}-0" for n in range(4)]
        assert client.submit(sum, range(101)).result() == 5050

    cluster.edit(workers=1)
    assert changes(cluster.up()) == {"updated": 1, "unchanged": COUNT - 1}
    assert cluster.pids() == {name: before[name] for name in ("scheduler", "worker-0")}

    printed = cluster.destroy()
    assert changes(printed) == {"deleted": COUNT}
    assert cluster.left() == []


def test_the_state_holds_these_resources_and_no_key_in_clear(running: Cluster) -> None:
    exported = json.loads(running.command("export", "local"))
    types = [r["type"] for r in exported["deployment"]["resources"]]
    providers = [t for t in types if t.startswith("pulumi:providers:")]
    assert providers == ["pulumi:providers:pulumi-python"]
    wanted = sorted([*RESOURCES.values(), "pulumi:pulumi:Stack", *providers])
    assert sorted(types) == wanted
    for file in running.directory.rglob(".dask-cluster/state/**/*"):
        assert not file.is_file() or b"PRIVATE KEY" not in file.read_bytes(), file


def test_outputs(running: Cluster) -> None:
    outputs = running.outputs()
    assert sorted(outputs) == [
        "certificates_expire",
        "dashboard",
        "environment",
        "environment_folder",
        "folder",
        "scheduler_address",
        "workers",
    ]
    assert outputs["workers"] == 2
    assert outputs["folder"] == str(running.folder)
    assert outputs["scheduler_address"] == f"tls://127.0.0.1:{running.settings['schedulerPort']}"
    assert outputs["dashboard"] == f"http://127.0.0.1:{running.settings['dashboardPort']}"


def test_run_connects_with_a_bare_client(running: Cluster) -> None:
    program = "from dask.distributed import Client; print(Client().submit(sum, [40, 2]).result())"
    assert running.command("run", "local", "--", "python", "-c", program).splitlines() == ["42"]


def test_run_hands_on_the_exit_code(running: Cluster) -> None:
    running.command("run", "local", "--", "python", "-c", "raise SystemExit(41)", code=41)
    running.command("run", "local", "--", "no-such-command", code=1)


def test_status_and_doctor_of_a_healthy_cluster(running: Cluster) -> None:
    status = running.status()
    assert status["faults"] == []
    assert status["supervisor"] is True
    assert {p["state"] for p in status["processes"]} <= {"STARTING", "RUNNING"}
    names = sorted(w["name"] for w in status["report"]["workers"])
    assert names == ["worker-0-0", "worker-1-0"]
    assert " no " not in running.command("doctor", "local")


def test_processes_threads_memory_and_resources(project: Callable[..., Cluster]) -> None:
    cluster = project(
        workers=1, processes=2, threads=4, memory="512 MiB", resources={"GPU": 2}, lifetime="1 h"
    )
    cluster.up()
    with cluster.client() as client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        shown = [
            (w["name"], w["nthreads"], w["memory_limit"], w["resources"])
            for w in sorted(workers, key=lambda w: w["name"])
        ]
        assert shown == [
            ("worker-0-0", 2, 256 * 2**20, {"GPU": 1.0}),
            ("worker-0-1", 2, 256 * 2**20, {"GPU": 1.0}),
        ]
        assert client.submit(abs, -3, resources={"GPU": 1}).result() == 3


def test_dask_configuration_reaches_every_process(project: Callable[..., Cluster]) -> None:
    wanted = {"distributed": {"scheduler": {"work-stealing": False, "allowed-failures": 9}}}
    cluster = project(workers=1, dask=wanted)
    cluster.up()

    def seen() -> tuple[bool, int]:
        import dask  # noqa: PLC0415

        scheduler = dask.config.get("distributed.scheduler")
        return scheduler["work-stealing"], scheduler["allowed-failures"]

    with cluster.client() as client:
        assert client.run_on_scheduler(seen) == (False, 9)
        assert list(client.run(seen).values()) == [(False, 9)]


def test_a_folder_with_odd_characters_and_a_proxy_in_the_shell(
    project: Callable[..., Cluster],
) -> None:
    plain = project(workers=1)
    odd = plain.directory / "my data, done"
    cluster = Cluster.prepare(odd, workers=1)
    proxies = {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
    try:
        cluster.command("up", "local", "--yes", env=os.environ | proxies)
        assert cluster.status()["faults"] == []
    finally:
        cluster.destroy()
    assert cluster.left() == []


def test_no_secret_of_the_shell_reaches_the_processes(project: Callable[..., Cluster]) -> None:
    cluster = project(workers=1)
    secret = {"AWS_SECRET_ACCESS_KEY": "of-no-use", "PULUMI_CONFIG_PASSPHRASE": "of-no-use"}
    cluster.command("up", "local", "--yes", env=os.environ | secret | {"AWS_PROFILE": "mine"})
    for process in cluster.processes():
        assert "of-no-use" not in process.environ().values(), process
        assert process.environ().get("AWS_PROFILE") == "mine"


def test_destroy_of_what_is_not_up(project: Callable[..., Cluster]) -> None:
    assert "nothing to destroy" in project().destroy()


def test_destroy_does_not_need_the_stack_file(project: Callable[..., Cluster]) -> None:
    cluster = project(workers=1)
    cluster.up()
    cluster.file.write_text("config:\n  workers: [this is no number\n")
    cluster.destroy()
    assert cluster.left() == []
