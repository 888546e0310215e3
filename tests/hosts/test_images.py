"""The images of hosts, on a real engine: user data that boot from them find an EC2 instance."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.archive import pack
from sandbox.hosts import environment_image, root_image
from sandbox.hosts.container import Given, host_arguments
from sandbox.hosts.errors import HostsError
from sandbox.hosts.ground import Ground, undo
from sandbox.machine.programs import program
from sandbox.machine.registries import Registries
from tests.conftest import CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.machine.docker import Docker

pytestmark = [
    pytest.mark.skipif(
        os.geteuid() != 0
        or not all(map(program, ("docker", "dockerd", "nft", "ip", "mmdebstrap", "containerd"))),
        reason="needs root, docker.io, nftables, iproute2 and mmdebstrap",
    ),
    # The first time the images are built.
    pytest.mark.timeout(1200),
]

ROOT = Path(__file__).parents[2]
LABEL = "dask-cluster.rehearsal=images"
ADDRESS = "10.77.1.4"
SECONDS = 120.0
# Answers those who have a token, and keeps a record of the others.
METADATA = """
import http.server, sys
LISTS = {"meta-data": "instance-id\\nlocal-ipv4", "dynamic/instance-identity": "document"}
ITEMS = {
    "meta-data/instance-id": "i-0123456789abcdef0",
    "meta-data/local-ipv4": sys.argv[1],
    "dynamic/instance-identity/document": "{}",
    "user-data": sys.argv[2],
}
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words): pass
    def answer(self, code, text=""):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())
    def do_PUT(self): self.answer(200, "token")
    def do_GET(self):
        if self.headers.get("X-aws-ec2-metadata-token") != "token":
            print(self.path, flush=True)
            return self.answer(401)
        found = {**LISTS, **ITEMS}.get(self.path.split("/", 2)[2].strip("/"))
        self.answer(404 if found is None else 200, found or "")
http.server.ThreadingHTTPServer(("169.254.169.254", 80), Handler).serve_forever()
"""
USER_DATA = """#!/bin/bash
command -v aws >/var/log/which
env >/var/log/variables
mkdir /efs && mount -t efs -o tls,_netdev fs-0a1b:/ /efs && hostname >/efs/written
mount -t efs elsewhere:/ /mnt 2>/var/log/refused || echo $? >>/var/log/refused
echo done >/var/log/done
"""


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    folder = tmp_path_factory.mktemp("images")
    ground = Ground(folder, CACHE / "hosts")
    ground.take(lambda _: None)
    try:
        yield ground.docker
    finally:
        ground.docker.remove(*(each.name for each in ground.docker.ps(LABEL)))
        undo(folder)


@pytest.fixture(scope="module")
def root(docker: Docker) -> str:
    return root_image.ensure(docker, CACHE / "hosts", print, label=LABEL)


@pytest.fixture(scope="module")
def archive() -> tuple[bytes, str]:
    def install(*options: str) -> str:
        command = ["images/environment/install.sh", *options, "--python", sys.executable]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    minor = "{}.{}".format(*sys.version_info)
    texts = {"requirements.txt": install("--export"), "python.txt": minor, "extra.txt": ""}
    return pack({**texts, "dask.yaml": "{}\n"}, root=ROOT), install("--identity").strip()


@contextlib.contextmanager
def booted(docker: Docker, image: str, given: Given, user_data: str) -> Iterator[Path]:
    """A host whose network is its metadata service alone; gives its root folder."""
    name = "dask-cluster-images-host"
    arguments = host_arguments(given, network="none", address=ADDRESS, label=LABEL)
    at = arguments.index("--ip")
    docker.remove(name)
    docker.run(name, image, [*arguments[:at], *arguments[at + 2 :]])
    pid = docker.pid(name)
    inside = ["nsenter", f"--net=/proc/{pid}/ns/net"]
    subprocess.run([*inside, "ip", "address", "add", "169.254.169.254/32", "dev", "lo"], check=True)
    service = subprocess.Popen(
        [*inside, sys.executable, "-c", METADATA, ADDRESS, user_data],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield Path(f"/proc/{pid}/root")
        service.kill()
        assert service.communicate()[0] == "", "asked without a token"
        docker.stop(name, 30)
        state = (docker.inspect(name) or {})["State"]
        assert state["ExitCode"] == 0, "not an orderly end"
    finally:
        docker.remove(name)
        service.kill()
        service.wait()
        if service.stdout is not None:
            service.stdout.close()


def until(path: Path) -> None:
    end = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < end, f"no {path}"
        time.sleep(0.2)


def test_user_data_run_as_on_ec2(docker: Docker, root: str, tmp_path: Path) -> None:
    registries = Registries({"PIP_INDEX_URL": 'https://a%40b:"c"@mirror.test/'}, {})
    given = Given.prepare(tmp_path, registries)
    with booted(docker, root, given, USER_DATA) as host:
        until(host / "var/log/done")
        assert (host / "var/log/which").read_text() == "/usr/local/bin/aws\n"
        variables = (host / "var/log/variables").read_text().splitlines()
        assert "AWS_ENDPOINT_URL=http://169.254.169.252" in variables
        assert 'PIP_INDEX_URL=https://a%40b:"c"@mirror.test/' in variables
        # What one host writes to a shared file system is there for all.
        assert (given.shared / "fs-0a1b/written").read_text() == "ip-10-77-1-4\n"
        assert "not a file system of EFS" in (host / "var/log/refused").read_text()
        assert (host / "etc/machine-id").read_text().strip()
        until(host / "var/lib/cloud/instances/i-0123456789abcdef0/boot-finished")
        failed = docker.exec("dask-cluster-images-host", "systemctl", "--failed", "--no-legend")
        assert failed.stdout == ""


def test_it_is_there_at_once_and_whole(docker: Docker, root: str, tmp_path: Path) -> None:
    said: list[str] = []
    assert root_image.ensure(docker, tmp_path / "unused", said.append) == root
    assert said == []
    asked = [*root_image.packages(), "amazon-efs-utils"]
    docker.remove("dask-cluster-images-look")
    docker.run(
        "dask-cluster-images-look", root, ["--label", LABEL, "--network=none"], ["sleep", "99"]
    )
    found = docker.exec("dask-cluster-images-look", "dpkg-query", "-W", "-f", "${Status}\n", *asked)
    docker.remove("dask-cluster-images-look")
    assert found.stdout.splitlines() == ["install ok installed"] * len(asked)


def test_the_environment_is_complete_in_its_image(
    docker: Docker, root: str, archive: tuple[bytes, str]
) -> None:
    data, identity = archive
    tag = environment_image.ensure(
        docker, root, data, identity, print, label=LABEL, uv_cache=CACHE / "uv"
    )
    assert environment_image.identity_of(tag) == identity
    assert environment_image.ensure(docker, root, data, identity, pytest.fail, label=LABEL) == tag
    settings = docker.call("image", "inspect", "--format", "{{json .Config}}", tag)
    assert "SIGRTMIN+3" in settings
    assert "host-init" in settings
    # What it was built with is nobody's afterwards.
    assert "PIP_" not in settings
    assert "SSL_CERT" not in settings
    assert docker.ps(LABEL) == []
    name = "dask-cluster-images-look"
    docker.run(name, tag, ["--label", LABEL, "--network=none"], ["sleep", "99"])
    docker.put(name, environment_image._below(data, "/root/archive"))
    done = docker.exec(
        name, "/root/archive/environment/install.sh", f"/opt/dask-cluster/{identity}",
        "--python", "python3.11", "--requirements", "/root/archive/requirements.txt",
    )  # fmt: skip
    docker.remove(name)
    assert "is complete" in done.stderr
    assert "installing" not in done.stderr


def test_an_archive_of_another_environment_is_refused(
    docker: Docker, root: str, archive: tuple[bytes, str]
) -> None:
    with pytest.raises(HostsError, match=f"make environment {archive[1]} here, and 0a0b"):
        environment_image.ensure(docker, root, archive[0], "0a0b", print, label=LABEL)
    assert not docker.image_exists(f"{root}-0a0b")
    assert docker.ps(LABEL) == []
