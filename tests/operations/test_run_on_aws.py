"""`run` on AWS: a real scheduler behind a tunnel that is one, and nothing left after it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.settings import ports
from operations.rehearse_aws import HOSTS_PLUGINS
from tests.environment.built import run_install, wait_for
from tests.node.cluster import Cluster
from tests.operations.hosts_table import HostsTable, host
from tests.operations.project import COMMAND, IDENTITY, OUTPUTS, SETTINGS
from tests.operations.session_manager import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.operations.conftest import Account
    from tests.operations.project import Project
    from tests.operations.session_manager import SessionManager

QUIET = subprocess.DEVNULL
PLACE = """
import json, os, pathlib, dask
config = dask.config
print(json.dumps({
    "folder": str(pathlib.Path(os.environ["DASK_CONFIG"]).parent),
    "modes": {str(p): p.stat().st_mode & 0o777
              for p in pathlib.Path(os.environ["DASK_CONFIG"]).parent.rglob("*")},
    "address": config.get("scheduler-address"),
    "link": config.get("distributed.dashboard.link"),
    "tls": config.get("distributed.comm.tls"),
    "chunk": config.get("array.chunk-size", None),
    "prefix": __import__("sys").prefix,
    "environment": os.environ["DASK_CLUSTER_ENVIRONMENT"],
    "variables": [k for k, v in os.environ.items() if "AAEAAtoken" in v],
}))
"""


@pytest.fixture(scope="session")
def environment(checkout: Path) -> Path:
    """The environment of the copied checkout, built with all the others."""
    script = checkout / "images" / "environment" / "install.sh"
    identity = run_install("--identity", script=script).stdout.strip()
    folder = checkout / ".dask-cluster" / "environments" / identity
    done = run_install(folder, script=script)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def cluster(
    environment: Path, certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A scheduler and a worker, by TLS."""
    with Cluster(environment, certificates, tmp_path_factory.mktemp("cluster")) as ready:
        ready.start_scheduler()
        ready.start_worker("w0")
        ready.wait_registered("w0")
        yield ready


@pytest.fixture
def scheduler(account: Account, certificates: Path) -> str:
    """The instance of a cluster on AWS, with the client's certificate in its secret."""
    account.create_secret(certificates)
    return account.create_cluster(workers=1)


@pytest.fixture
def place(
    project: Project, sessions: SessionManager, environment: Path, scheduler: str
) -> Iterator[Project]:
    """A checkout of the cluster's version; afterwards nothing of a `run` may be left."""
    assert scheduler
    project.answer({**OUTPUTS, "environment": environment.name})
    project.environ["AWS_ENDPOINT_URL_SSM"] = sessions.endpoint
    both = {str(ports.SCHEDULER): 1, str(ports.DASHBOARD): 1}
    project.environ["FAKE_PLUGIN_PORTS"] = json.dumps(both)
    yield project
    assert left(project) == []


def left(project: Project) -> list[str]:
    """Return what a `run` has left: temporary files, plugins and their ports."""
    found = [str(path) for path in project.temporary.iterdir()]
    for start in starts(project):
        pid, port = start["pid"], local_port(start)
        if Path(f"/proc/{pid}").exists():
            found.append(f"process {pid}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(f"port {port}")
    return found


def starts(project: Project) -> list[dict[str, Any]]:
    return [note for note in project.plugins() if "asked" in note]


def ends(project: Project) -> list[str]:
    return [note["ended"] for note in project.plugins() if "ended" in note]


def local_port(start: dict[str, Any]) -> int:
    return int(start["asked"]["Parameters"]["localPortNumber"][0])


def run(project: Project, program: str, code: int = 0) -> str:
    printed, errors = project.command("run", "dev", "--", "python", "-c", program, code=code)
    assert errors == ""
    return printed


def test_a_bare_client_connects(place: Project, cluster: Cluster, scheduler: str) -> None:
    port = cluster.address.rpartition(":")[2]
    real = {str(ports.SCHEDULER): int(port), str(ports.DASHBOARD): 1}
    place.environ["FAKE_PLUGIN_PORTS"] = json.dumps(real)
    program = (
        "from dask.distributed import Client; c = Client(); "
        "print(c.scheduler.address, c.dashboard_link, c.submit(sum, [40, 2]).result())"
    )
    address, link, result = run(place, program).split()
    first, second = starts(place)
    assert first["asked"] == {
        "Target": scheduler,
        "DocumentName": "AWS-StartPortForwardingSession",
        "Parameters": {"portNumber": ["8786"], "localPortNumber": [str(local_port(first))]},
    }
    assert second["asked"]["Parameters"]["portNumber"] == ["8787"]
    assert address == f"tls://127.0.0.1:{local_port(first)}"
    assert link == f"http://127.0.0.1:{local_port(second)}/status"
    assert result == "42"
    assert ends(place) == ["SIGINT", "SIGINT"]


@pytest.mark.skipif(os.geteuid() != 0, reason="it enters a network namespace: as root")
def test_the_way_into_a_host(place: Project, cluster: Cluster, scheduler: str) -> None:
    """With the plugin of a rehearsal, whose hosts have networks of their own."""
    words = [cluster._python(None), "-m", "dask", "scheduler", "--host", "127.0.0.1"]
    words += ["--port", str(ports.SCHEDULER), "--dashboard-address", ":0"]
    script = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", *words]
    with (
        HostsTable() as table,
        subprocess.Popen(
            ["unshare", "--net", *script], env=cluster.environ(), stdout=QUIET, stderr=QUIET
        ) as process,
    ):
        table.hosts = [host(scheduler, pid=process.pid, state="up")]
        place.remove("session-manager-plugin")
        place.environ["PATH"] = f"{HOSTS_PLUGINS}:{place.environ['PATH']}"
        place.environ["AWS_ENDPOINT_URL_SSM"] = table.endpoint
        program = "from dask.distributed import Client; c = Client(); print(c.id, c.nthreads())"
        printed, _ = place.command("run", "dev", "--", "python", "-c", program)
        process.terminate()
    assert re.fullmatch(r"Client-\S+ {}\n", printed)
    assert sorted(table.ended) == ["rehearsal-8786", "rehearsal-8787"]


def test_what_the_command_sees(place: Project, sessions: SessionManager, environment: Path) -> None:
    place.edit(**SETTINGS, dask={"array": {"chunk-size": "7 MiB"}})
    place.environ["DASK_SCHEDULER_ADDRESS"] = "tcp://elsewhere:1"
    seen = json.loads(run(place, PLACE))
    folder = Path(seen["folder"])
    assert folder.parent == place.temporary
    files = {Path(path): mode for path, mode in seen["modes"].items()}
    names = ("authority", "certificate", "key")
    assert {folder / "tls" / f"{name}.pem" for name in names} <= files.keys()
    for path in (folder / "tls", folder / "dask"):
        assert files[path] == stat.S_IRWXU
    for name in names:
        assert files[folder / "tls" / f"{name}.pem"] == 0o600
    assert seen["tls"]["client"] == {
        "cert": f"{folder}/tls/certificate.pem",
        "key": f"{folder}/tls/key.pem",
    }
    assert seen["tls"]["ca-file"] == f"{folder}/tls/authority.pem"
    assert seen["address"].startswith("tls://127.0.0.1:")
    assert seen["chunk"] == "7 MiB"
    assert Path(seen["prefix"]).resolve() == environment.resolve()
    assert seen["environment"] == environment.name
    assert seen["variables"] == []
    assert len(sessions.asked("StartSession")) == 2
    assert sessions.asked("TerminateSession") == []


def test_the_dashboard_is_https_for_those_from_outside(place: Project) -> None:
    place.edit(**SETTINGS, allowedCidrs=["203.0.113.0/24"])
    assert json.loads(run(place, PLACE))["link"].startswith("https://127.0.0.1:")


def test_how_the_plugin_is_called(place: Project, sessions: SessionManager) -> None:
    folder = place.outside / "home" / ".aws"
    folder.mkdir()
    keys = {
        each: place.environ.pop(each.upper())
        for each in ("aws_access_key_id", "aws_secret_access_key")
    }
    lines = [f"{key} = {value}" for key, value in keys.items()]
    (folder / "credentials").write_text("\n".join(["[somebody]", *lines]))
    place.environ |= {"AWS_PROFILE": "somebody", "SSM_PLUGIN_LOCAL_HOST": "0.0.0.0"}  # noqa: S104
    run(place, "pass")
    first, _ = starts(place)
    assert first["by_name"]
    assert first["session"] == {
        "SessionId": "someone-1",
        "TokenValue": TOKEN,
        "StreamUrl": "wss://ssmmessages.us-east-2.amazonaws.com/v1/data-channel/someone-1",
    }
    assert (first["region"], first["operation"], first["profile"]) == (
        "us-east-2",
        "StartSession",
        "somebody",
    )
    assert first["endpoint"] == sessions.endpoint
    assert first["host"] == "127.0.0.1"


def test_an_old_plugin_gets_the_session_as_an_argument(place: Project) -> None:
    place.environ["FAKE_PLUGIN_VERSION"] = "1.2.497.0"
    run(place, "pass")
    assert [start["by_name"] for start in starts(place)] == [False, False]
    assert starts(place)[0]["session"]["TokenValue"] == TOKEN


def test_the_exit_code_is_the_commands(place: Project) -> None:
    run(place, "raise SystemExit(3)", code=3)


def test_a_command_that_a_signal_ends(place: Project) -> None:
    run(place, "import os; os.kill(os.getpid(), 9)", code=128 + 9)


WAITING = """
import signal, sys, time
def end(number, frame):
    print("got", number, flush=True)
    sys.exit(5)
for each in (signal.SIGTERM, signal.SIGINT):
    signal.signal(each, end)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_command(place: Project, number: int) -> None:
    with place.start("run", "dev", "--", "python", "-c", WAITING) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert left(place) != []
        process.send_signal(number)
        printed, _ = process.communicate(timeout=120)
    assert (printed, process.returncode) == (f"got {int(number)}\n", 5)
    assert ends(place) == ["SIGINT", "SIGINT"]


def test_a_signal_while_the_tunnel_opens(place: Project) -> None:
    place.environ["FAKE_PLUGIN"] = "silent"
    with place.start("run", "dev", "--", "true") as process:
        wait_for(lambda: len(starts(place)) == 2, "both plugins")
        assert any(place.temporary.rglob("key.pem"))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGINT


def test_a_second_signal_does_not_stop_the_closing(
    place: Project, sessions: SessionManager
) -> None:
    place.environ["FAKE_PLUGIN"] = "silent stubborn"
    with place.start("run", "dev", "--", "true") as process:
        wait_for(lambda: len(starts(place)) == 2, "both plugins")
        process.send_signal(signal.SIGTERM)
        for _ in range(3):
            time.sleep(0.7)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    ended = {request["SessionId"] for request in sessions.asked("TerminateSession")}
    assert ended == {"someone-1", "someone-2"}


def test_nohup_is_kept(place: Project) -> None:
    program = (
        "import signal, time; print(signal.getsignal(signal.SIGHUP), flush=True); time.sleep(1)"
    )
    ignoring = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    with place.start("run", "dev", "--", "python", "-c", program, **ignoring) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"  # SIG_IGN
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=120)
    assert process.returncode == 0


def test_ctrl_c_is_for_the_command(place: Project) -> None:
    program = (
        "import signal, sys, time\n"
        "got = []\n"
        "signal.signal(signal.SIGINT, lambda *_: got.append(1))\n"
        "print('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(1.5)\n"
        "sys.exit(len(got))\n"
    )
    ours, theirs = pty.openpty()
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = place.start(
        "run",
        "dev",
        "--",
        "python",
        "-c",
        program,
        preexec_fn=lambda: os.login_tty(theirs),
        **terminal,
    )
    os.close(theirs)
    shown = read_until(ours, "ready\r\n")
    os.write(ours, b"\x03")
    shown += read_until(ours, None)
    assert process.wait(30) == 1  # from the terminal, and not from us once more
    os.close(ours)
    assert len(starts(place)) == 2  # the tunnel was not cut, and opened again
    dashboard = local_port(starts(place)[1])
    assert f"Dashboard: http://127.0.0.1:{dashboard}/status\r\n" in shown


def read_until(terminal: int, text: str | None) -> str:
    """Read what appears on a terminal, until a text or until its last program has ended."""
    shown = ""
    while text is None or text not in shown:
        try:
            more = os.read(terminal, 4096)
        except OSError:  # as Linux tells that nobody is there any more
            more = b""
        if not more:
            assert text is None, shown
            break
        shown += more.decode()
    return shown


def greet(server: socket.socket) -> None:
    """Greet whoever connects, until the server is closed."""
    with contextlib.suppress(OSError):
        while True:
            far, _ = server.accept()
            far.sendall(b"hello")
            far.close()


def test_a_session_that_ended_is_opened_again(place: Project, sessions: SessionManager) -> None:
    place.environ["FAKE_PLUGIN"] = "short"
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        place.environ["FAKE_PLUGIN_PORTS"] = json.dumps(
            {str(ports.SCHEDULER): server.getsockname()[1], str(ports.DASHBOARD): 1}
        )
        program = (
            "import dask, socket, time\n"
            "port = int(dask.config.get('scheduler-address').rpartition(':')[2])\n"
            "for _ in range(2):\n"
            "    limit = time.monotonic() + 20\n"
            "    while True:\n"
            "        try:\n"
            "            near = socket.create_connection(('127.0.0.1', port))\n"
            "            near.settimeout(5)\n"
            "            near.shutdown(socket.SHUT_WR)\n"
            "            if said := near.recv(5).decode():\n"
            "                print(said, flush=True)\n"
            "                break\n"
            "        except OSError:\n"
            "            pass\n"
            "        assert time.monotonic() < limit\n"
            "        time.sleep(0.1)\n"
        )
        assert run(place, program) == "hello\nhello\n"
    scheduler = [s for s in starts(place) if s["asked"]["Parameters"]["portNumber"] == ["8786"]]
    assert len(scheduler) >= 2
    assert len({local_port(start) for start in scheduler}) == 1
    assert len({request["Target"] for request in sessions.asked("StartSession")}) == 1


def test_another_version(place: Project, environment: Path) -> None:
    place.answer(OUTPUTS)
    assert place.refused("run", "dev", "--", "true", code=1) == (
        f"this checkout makes environment {environment.name}, and cluster `dev` runs {IDENTITY}: "
        "their programs would not understand each other. Check out the version that made the "
        "cluster and use its Python, or bring the cluster to this one: pulumi up -s dev"
    )
    assert starts(place) == []


def test_no_plugin(place: Project, sessions: SessionManager) -> None:
    place.remove("session-manager-plugin")
    assert place.refused("run", "dev", "--", "true", code=1) == (
        "there is no `session-manager-plugin` on PATH: AWS's program that reaches a machine "
        "without an open port. Install it: https://docs.aws.amazon.com/systems-manager/latest/"
        "userguide/session-manager-working-with-install-plugin.html"
    )
    assert sessions.calls == []


def test_no_such_command(place: Project, sessions: SessionManager) -> None:
    said = place.refused("run", "dev", "--", "no-such-thing", code=1)
    assert said == "no-such-thing: no such command in the cluster's environment or on PATH."
    assert sessions.calls == []


def test_wrong_settings(place: Project) -> None:
    place.edit(**SETTINGS, wokers=3)
    assert "Did you mean `workers`?" in place.refused("run", "dev", "--", "true", code=2)


def test_the_plugin_fails(place: Project) -> None:
    place.environ["FAKE_PLUGIN"] = "fails"
    assert place.refused("run", "dev", "--", "true", code=1) == (
        "session-manager-plugin has ended. It said: Starting session with SessionId: someone-1\n"
        "Cannot perform start session: EOF"
    )


def test_no_scheduler(place: Project, account: Account) -> None:
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="dask-cluster-dev-scheduler", DesiredCapacity=0
    )
    assert place.refused("run", "dev", "--", "true", code=1) == (
        f"no scheduler of `dev` is in service. See: {COMMAND} status dev"
    )


def test_no_certificate(place: Project, account: Account) -> None:
    account.client("secretsmanager").delete_secret(
        SecretId="dask-dev-client", ForceDeleteWithoutRecovery=True
    )
    assert place.refused("run", "dev", "--", "true", code=1).startswith(
        "AWS, reading the client's certificate: An error occurred (ResourceNotFoundException)"
    )


def test_no_session(place: Project, sessions: SessionManager, scheduler: str) -> None:
    sessions.refusal = ("TargetNotConnected", f"{scheduler} is not connected.")
    assert place.refused("run", "dev", "--", "true", code=1) == (
        f"AWS, opening a session to port 8786 of {scheduler}: An error occurred "
        f"(TargetNotConnected) when calling the StartSession operation: {scheduler} is not "
        "connected."
    )
