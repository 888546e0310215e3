"""What a rehearsal changes on this machine, and that all of it is undone: after kills, too."""

import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.hosts import firewall, ground, nft
from sandbox.hosts.daemon import Daemon
from sandbox.hosts.errors import HostsError
from sandbox.hosts.firewall import Bridge, HostNet
from sandbox.hosts.ground import Ground
from sandbox.hosts.machine import Machine
from sandbox.hosts.names import Names
from sandbox.machine import leftovers
from sandbox.machine.docker import Docker
from sandbox.machine.programs import program
from tests.hosts.namespaces import Space

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0
    or not all(map(program, ("docker", "dockerd", "nft", "ip", "mmdebstrap", "containerd"))),
    reason="needs root, docker.io, nftables, iproute2 and mmdebstrap",
)

ROOT = Path(__file__).parents[2]
SECONDS = 60.0
IMAGE = "empty:1"
# The machine's own programs: the image has none.
PROGRAMS = ("--network=none", "--volume=/usr:/usr:ro")
SLEEP = ("sleep", "1000")
# Takes the ground as a server does, says so, and waits.
SERVER = """
import sys, time
from pathlib import Path
from sandbox.hosts.ground import Ground
from sandbox.hosts.machine import Machine
folder, cache, run = map(Path, sys.argv[1:])
Ground(folder, cache, Machine(run)).take(lambda text: None)
print("taken", flush=True)
time.sleep(1000)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(flush=True)
time.sleep(1000)
"""


class Place:
    """A machine of a test: its networks are a namespace's."""

    def __init__(self, folder: Path, run: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.machine = Machine(run)
        self.before = self.state()
        self._servers: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        for server in self._servers:
            server.kill()
            server.wait()

    def ground(self, name: str = "one") -> Ground:
        (self.folder / name).mkdir(exist_ok=True)
        return Ground(self.folder / name, self.cache, self.machine)

    def undo(self, name: str = "one") -> None:
        ground.undo(self.folder / name, machine=self.machine)

    def server(self, name: str = "one") -> "subprocess.Popen[str]":
        (self.folder / name).mkdir(exist_ok=True)
        places = (self.folder / name, self.cache, self.machine.run)
        started = subprocess.Popen(
            [sys.executable, "-c", SERVER, *map(str, places)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._servers.append(started)
        assert started.stdout is not None
        assert started.stdout.readline() == "taken\n"
        started.stdout.close()
        return started

    def docker(self) -> Docker:
        return Daemon(self.machine.run).docker

    def state(self) -> dict[str, object]:
        """Return what must be the same afterwards."""
        run = self.machine.run
        links = subprocess.check_output(["ip", "-brief", "link"], text=True)
        return {
            **{name: self.sysctls(name) for name in ("fs/inotify", "net/bridge", "net/ipv4")},
            "links": sorted(line.split()[0] for line in links.splitlines()),
            "rules": subprocess.check_output(["nft", "list", "ruleset"], text=True),
            "mounts": [
                line
                for line in Path("/proc/self/mountinfo").read_text().splitlines()
                if str(run) in line or str(self.folder) in line
            ],
            # Others come and go meanwhile, which `glob` does not bear.
            "cgroups": sorted(
                folder
                for folder, _, _ in os.walk("/sys/fs/cgroup")
                if Path(folder).name == run.name
            ),
            "processes": [
                words
                for folder in Path("/proc").glob("[0-9]*")
                if run.name in (words := _words(folder)) and "dockerd" in words
            ],
            "containers": leftovers.in_cgroups(run.name),
            "run": run.exists(),
        }

    def sysctls(self, name: str) -> dict[str, str]:
        files = (path for path in Path("/proc/sys", name).rglob("*") if path.is_file())
        # Some only take, and some tell how it goes.
        settings = (path for path in files if path.stat().st_mode & 0o644 == 0o644)
        return {str(one): one.read_text() for one in settings}

    def same(self) -> bool:
        assert self.state() == self.before
        return True


def _words(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    space = Space(f"g{os.getpid()}")
    run = Path(f"/run/dch-{os.getpid()}")
    try:
        with space.inside():
            made = Place(tmp_path, run)
            try:
                yield made
            finally:
                made.close()
            for name in ("one", "two"):
                made.undo(name)
            assert made.same()
    finally:
        if run.exists():
            Daemon(run).stop()
            shutil.rmtree(run)
        space.close()


def image(docker: Docker, folder: Path) -> None:
    """Make an image without programs of its own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("bin", "lib", "lib64"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(link)
    (folder / "empty.tar").write_bytes(buffer.getvalue())
    docker.image_import(folder / "empty.tar", IMAGE)


def populate(docker: Docker, folder: Path, number: int = 9) -> str:
    """Make a network, a host and rules, as a rehearsal does; return the host's name."""
    names = Names.of(folder)
    bridge = Bridge(names.bridge("vpc-1"), f"10.{number}.0.1")
    image(docker, folder)
    docker.network_create(
        names.network("vpc-1"),
        bridge=bridge.name,
        block=f"10.{number}.0.0/16",
        gateway=bridge.gateway,
        label=names.label,
    )
    hosts = [HostNet(f"10.{number}.0.4", bridge.name, ())]
    nft.apply(firewall.rules(names.table, hosts, [], [bridge]), [bridge])
    host = f"i-{names.key}"
    options = ["--label", names.label, "--ip", hosts[0].address, "--volume=/usr:/usr:ro"]
    docker.run(host, IMAGE, [*options, "--network", names.network("vpc-1")], SLEEP)
    return host


def sysctl(name: str) -> int:
    return int(Path("/proc/sys", name).read_text())


def test_what_is_taken_is_given_back(place: Place) -> None:
    said: list[str] = []
    taken = place.ground()
    taken.take(said.append)
    assert said == ["starting Docker"]
    assert sysctl("net/ipv4/ip_forward") == 1
    assert sysctl("fs/inotify/max_user_instances") >= 8192
    host = populate(taken.docker, place.folder / "one")
    pid = taken.docker.pid(host)
    assert pid is not None
    assert place.machine.run.name in Path(f"/proc/{pid}/cgroup").read_text()
    taken.release(said.append)
    assert said[1:] == ["ending 1 hosts"]
    assert leftovers.dead(pid)
    assert place.same()


def test_images_are_kept_for_the_next_rehearsal(place: Place) -> None:
    for turn in range(2):
        taken = place.ground()
        taken.take(print)
        assert taken.docker.image_exists(IMAGE) is bool(turn)
        image(taken.docker, place.folder)
        taken.release(print)


@pytest.mark.parametrize("killed", ["server", "docker too", "everything"])
def test_after_a_kill_undo_leaves_nothing(place: Place, killed: str) -> None:
    server = place.server()
    pid = place.docker().pid(populate(place.docker(), place.folder / "one"))
    assert pid is not None
    run = str(place.machine.run)
    victims = [server.pid]
    if killed != "server":
        victims += leftovers.processes("dockerd", f"--host=unix://{run}/docker.sock")
    if killed == "everything":
        config = f"{run}/exec/containerd/containerd.toml"
        victims += leftovers.processes("containerd", config)
        victims += leftovers.processes("containerd-shim", place.machine.run.name)
    assert len(victims) == {"server": 1, "docker too": 2, "everything": 4}[killed]
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    server.wait()
    # It counts until it is undone.
    assert place.machine.users()
    place.undo()
    assert leftovers.dead(pid)
    assert place.same()
    place.undo()
    assert place.same()


def test_after_a_kill_the_next_one_begins_afresh(place: Place) -> None:
    server = place.server()
    host = populate(place.docker(), place.folder / "one")
    server.kill()
    server.wait()
    again = place.ground()
    again.take(print)
    assert again.docker.inspect(host) is None
    assert again.docker.networks(again.names.label) == []
    assert "dask_cluster" not in subprocess.check_output(["nft", "list", "tables"], text=True)


def test_undo_when_dockers_data_is_gone(place: Place) -> None:
    server = place.server()
    pid = place.docker().pid(populate(place.docker(), place.folder / "one"))
    assert pid is not None
    run = str(place.machine.run)
    for victim in [server.pid, *leftovers.processes("dockerd", f"--host=unix://{run}/docker.sock")]:
        os.kill(victim, signal.SIGKILL)
    server.wait()
    data = place.cache / "docker" / "data"
    leftovers.unmount(data)
    shutil.rmtree(data)
    place.undo()
    assert leftovers.dead(pid)
    # Docker knows of no network, but the rules know the bridge.
    assert place.same()


def test_undo_after_the_machine_was_restarted(place: Place) -> None:
    taken = place.ground()
    taken.take(print)
    host = populate(taken.docker, place.folder / "one")
    taken.docker.kill(host)
    Daemon(place.machine.run).stop()
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    taken._sysctls.restore()
    subprocess.run(["ip", "link", "delete", taken.names.bridge("vpc-1")], check=True)
    shutil.rmtree(place.machine.run)
    place.undo()
    assert place.same()
    # Docker's memory of them is gone as well.
    taken.take(print)
    assert taken.docker.inspect(host) is None
    assert taken.docker.networks(taken.names.label) == []


def test_two_rehearsals_keep_out_of_each_others_way(place: Place) -> None:
    one, two = place.ground("one"), place.server("two")
    one.take(print)
    populate(one.docker, place.folder / "one")
    host = populate(place.docker(), place.folder / "two", 10)
    one.release(print)
    assert place.docker().pid(host)
    names = Names.of(place.folder / "two")
    assert place.docker().networks(names.label) == [names.network("vpc-1")]
    tables = subprocess.check_output(["nft", "list", "tables"], text=True).split("\n")
    assert [line for line in tables if line] == [f"table inet {names.table}"]
    assert sysctl("net/ipv4/ip_forward") == 1
    two.kill()
    two.wait()
    said: list[str] = []
    one.take(said.append)
    one.release(said.append)
    assert said == [
        f"this machine stays prepared for the rehearsal in {place.folder / 'two'}: destroy it"
    ] or said == ["starting Docker", *said[1:]]
    assert place.docker().pid(host)
    place.undo("two")
    assert place.same()


def test_the_persons_engine_and_things_stay(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Path(f"/run/dch-{os.getpid()}-p")
    run.mkdir()
    person = Daemon(run)
    try:
        person.start(place.folder / "persons" / "data")
        image(person.docker, place.folder)
        person.docker.run("mine", IMAGE, PROGRAMS, SLEEP)
        person.docker.network_create(
            "net", bridge="mine0", block="10.5.0.0/16", gateway="10.5.0.1", label="a=b"
        )
        monkeypatch.setenv("DOCKER_HOST", person.docker.endpoint)
        subprocess.run(["nft", "add", "table", "inet", "mine"], check=True)
        place.before = place.state()
        pid = person.docker.pid("mine")
        said: list[str] = []
        taken = place.ground()
        taken.take(said.append)
        assert taken.docker.endpoint == person.docker.endpoint
        host = populate(taken.docker, place.folder / "one")
        taken.release(said.append)
        assert said == ["ending 1 hosts"]
        assert person.docker.inspect(host) is None
        assert person.docker.pid("mine") == pid
        assert "net" in person.docker.networks("a=b")
        assert place.same()
        person.docker.network_remove("net")
        person.docker.remove("mine")
    finally:
        person.stop()
        shutil.rmtree(run)
        subprocess.run(["nft", "delete", "table", "inet", "mine"], check=True)
    place.before = place.state()


def test_where_nothing_is_undo_does_nothing(place: Place) -> None:
    place.undo()
    place.undo("never")
    assert place.same()


def test_one_server_at_a_time(place: Place) -> None:
    server = place.server()
    with pytest.raises(HostsError, match=rf"still runs \(pid {server.pid}\)"):
        place.undo()
    with pytest.raises(HostsError, match=rf"still runs \(pid {server.pid}\)"):
        place.ground().take(print)
    assert place.docker().fits()
    server.kill()
    server.wait()


def test_a_docker_that_does_not_start_leaves_nothing(place: Place) -> None:
    place.cache.mkdir()
    (place.cache / "docker").mkdir()
    (place.cache / "docker" / "data").write_text("in the way")
    with pytest.raises((HostsError, OSError)):
        place.ground().take(print)
    assert place.same()


def test_what_the_person_changes_meanwhile_stays(place: Place) -> None:
    taken = place.ground()
    taken.take(print)
    path = Path("/proc/sys/net/ipv4/ip_forward")
    path.write_text("0")
    # The kernel changes others with it, which are then as the person has them, too.
    wanted = place.sysctls("net/ipv4")
    taken.release(print)
    assert place.sysctls("net/ipv4") == wanted
    place.before = place.state()


def test_a_range_that_is_in_use_is_refused(place: Place) -> None:
    del place
    ground.check_range("10.20.0.0/16")
    subprocess.run(["ip", "link", "add", "lan0", "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "addr", "add", "10.20.5.1/24", "dev", "lan0"], check=True)
        subprocess.run(["ip", "link", "set", "lan0", "up"], check=True)
        with pytest.raises(HostsError, match=r"in use .*10\.20\.5\.0/24 on lan0"):
            ground.check_range("10.20.0.0/16")
        ground.check_range("10.21.0.0/16")
    finally:
        subprocess.run(["ip", "link", "delete", "lan0"], check=True)


def test_what_does_not_want_to_end_is_killed() -> None:
    stubborn = subprocess.Popen(
        [sys.executable, "-c", STUBBORN],
        stdout=subprocess.PIPE,
    )
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    stubborn.stdout.close()
    begun = time.monotonic()
    leftovers.end([stubborn.pid], 0.5)
    assert time.monotonic() - begun < SECONDS
    stubborn.returncode = -9
    assert not Path(f"/proc/{stubborn.pid}").exists()
