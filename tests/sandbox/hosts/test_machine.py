"""What is written down of a machine before it is changed; without root."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.hosts import ground, lacks, machine
from sandbox.hosts.errors import HostsError
from sandbox.hosts.machine import Machine, User
from sandbox.hosts.sysctls import BOOT, Sysctls
from sandbox.machine import programs

VALUES = {
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/all/accept_redirects": "0",
    "net/ipv4/conf/all/forwarding": "0",
    "net/ipv4/conf/eth1/forwarding": "1",
    "net/ipv4/conf/gone/forwarding": "1",
    "fs/inotify/max_user_instances": "128",
    "fs/inotify/max_user_watches": "1000000",
}


class Settings:
    """A made-up /proc/sys."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "sys"
        self.ledger = folder / "sysctls.json"
        for name, value in VALUES.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            self.set(name, value)

    def set(self, name: str, value: str) -> None:
        (self.root / name).write_text(f"{value}\n")

    def now(self) -> dict[str, str]:
        files = (path for path in self.root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_text().strip() for path in files}

    def sysctls(self) -> Sysctls:
        return Sysctls(self.ledger, self.root)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path)


def test_only_what_is_too_low_is_raised(settings: Settings) -> None:
    settings.sysctls().change()
    raised = {"net/ipv4/ip_forward": "1", "fs/inotify/max_user_instances": "8192"}
    assert settings.now() == {**VALUES, **raised}
    settings.sysctls().restore()
    assert settings.now() == VALUES
    assert not settings.ledger.exists()


def test_the_first_value_is_given_back_after_a_second_user(settings: Settings) -> None:
    settings.sysctls().change()
    settings.sysctls().change()
    # Between the two someone set it back, and the second raised it again.
    settings.set("fs/inotify/max_user_instances", "200")
    settings.sysctls().change()
    settings.sysctls().restore()
    assert settings.now() == VALUES


def test_what_forwarding_took_with_it_is_given_back(settings: Settings) -> None:
    settings.sysctls().change()
    # As the kernel does when forwarding ends; and an interface has gone.
    (settings.root / "net/ipv4/conf/gone/forwarding").unlink()
    settings.set("net/ipv4/conf/all/accept_redirects", "1")
    settings.set("net/ipv4/conf/eth1/forwarding", "0")
    settings.sysctls().restore()
    assert settings.now() == {k: v for k, v in VALUES.items() if "gone" not in k}


def test_what_somebody_else_set_stays(settings: Settings) -> None:
    settings.sysctls().change()
    settings.set("fs/inotify/max_user_instances", "9000")
    settings.sysctls().restore(keep=frozenset({"net/ipv4/ip_forward"}))
    kept = {"net/ipv4/ip_forward": "1", "fs/inotify/max_user_instances": "9000"}
    assert settings.now() == {**VALUES, **kept}


def test_a_ledger_from_before_a_restart_is_nothing(settings: Settings) -> None:
    settings.sysctls().change()
    ledger = json.loads(settings.ledger.read_text())
    settings.ledger.write_text(json.dumps({**ledger, "boot": "another"}))
    before = settings.now()
    settings.sysctls().restore()
    assert settings.now() == before


def test_everything_that_is_missing_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(programs, "_ROOT_PATH", "/nowhere")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said = lacks.message(lacks.lacks(engine=False)).splitlines()
    assert said == [
        "this machine cannot be a cloud of hosts yet:",
        "  not root: networks, firewall and Docker need it",
        *(
            f"  no {program}"
            for program in ("docker", "nft", "ip", "mmdebstrap", "dockerd", "containerd", "runc")
        ),
        "On Debian: apt-get install containerd docker.io iproute2 mmdebstrap nftables runc",
    ]
    assert "dockerd" not in lacks.message(lacks.lacks(engine=True))
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert lacks.message(lacks.lacks(engine=True)).endswith(
        "this is Darwin: hosts are containers of Linux"
    )


def test_a_pid_that_was_given_out_again_is_another_process(tmp_path: Path) -> None:
    user = User.this(tmp_path, tmp_path, "unix:///x")
    assert user.alive
    for changed in ({"started": "1"}, {"boot": "another"}, {"pid": 2**22 + 1}):
        assert not User(**{**vars(user), **changed}).alive
    child = subprocess.Popen([sys.executable, "-c", ""])
    started = machine._started(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    # Dead, though nobody has taken note of it.
    assert not User(**{**vars(user), "pid": child.pid, "started": started or ""}).alive
    child.wait()


def test_users_are_there_until_they_are_removed(tmp_path: Path) -> None:
    shared = Machine(tmp_path / "run")
    user = User.this(tmp_path, tmp_path, "unix:///x")
    user.write(shared.file("one"))
    User(**{**vars(user), "boot": "another"}).write(shared.file("two"))
    assert {key: one.alive for key, one in shared.users().items()} == {"one": True, "two": False}
    shared.file("three").write_text("{")
    with pytest.raises(HostsError, match=r"three\.json cannot be read"):
        shared.users()


def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LOCK_SECONDS", 0.3)
    one, two = Machine(tmp_path / "run"), Machine(tmp_path / "run")
    with one.alone(), pytest.raises(HostsError, match="another rehearsal"), two.alone():
        pass
    with two.alone():
        pass


def test_a_lock_that_the_last_user_took_along_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "LOCK_SECONDS", 0.3)
    one, two = Machine(tmp_path / "run"), Machine(tmp_path / "run")
    lock, flock = one.run / "lock", fcntl.flock
    removals = iter([lock])

    def later(descriptor: int, operation: int) -> None:
        # Opened, and removed before it is held.
        for path in removals:
            path.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", later)
    with one.alone():
        assert lock.exists()
        with pytest.raises(HostsError, match="another rehearsal"), two.alone():
            pass


def test_undo_of_what_never_was_needs_no_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    shared = Machine(tmp_path / "run")
    ground.undo(tmp_path / "never", machine=shared)
    assert not shared.run.exists()
    User.this(tmp_path, tmp_path, "unix:///x").write(tmp_path / "ground.json")
    with pytest.raises(HostsError, match="sudo"):
        ground.undo(tmp_path, machine=shared)


def test_the_boot_is_known() -> None:
    assert BOOT.read_text().strip()
