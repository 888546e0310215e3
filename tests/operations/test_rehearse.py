"""What the instances of a rehearsal are: chosen once, kept over a kill, and undone by its end."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations import rehearse_aws
from operations.rehearse import Asked
from operations.rehearse_aws import HOSTS_PLUGINS, PLUGINS, AwsRehearsal
from operations.stacks import CommandError, open_stack
from sandbox.aws import server
from sandbox.hosts.errors import HostsError
from tests.operations.project import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.operations.project import Project

HOSTS = Asked(hosts=True)
NONE_YET = f"  {COMMAND} rehearse dev destroy\n  {COMMAND} rehearse dev up --hosts"


@dataclass
class Server:
    """Stands for the server and for what its hosts do to the machine.

    Attributes:
        instances: What its instances are, while it runs.
        did: What was done with it.
        broken: Why it does not start.
        stuck: Why this machine stays as it is.
    """

    instances: str | None = None
    did: list[str] = field(default_factory=list)
    broken: str = ""
    stuck: str = ""

    def find(self, _folder: Path) -> server.Server | None:
        return None if self.instances is None else server.Server("http://127.0.0.1:9", 1)

    def start(
        self,
        folder: Path,
        *,
        instances: str,
        cache: Path | None = None,
        say: Callable[[str], None] | None = None,
    ) -> server.Server | None:
        if self.broken:
            raise server.ServerError(self.broken)
        if self.instances is None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "server.log").touch()
            self.did.append(f"start {instances}")
            if say is not None:
                say("starting Docker")
            assert (cache is not None) == (instances == "hosts")
            self.instances = instances
        return self.find(folder)

    def stop(self, _folder: Path) -> bool:
        self.did.append("stop")
        self.instances = None
        return True

    def request(self, _endpoint: str, _method: str, _path: str) -> dict[str, Any]:
        return {"instances": self.instances}

    def undo(self, place: Path, say: Callable[[str], None]) -> None:
        assert place.name == "aws"
        self.did.append("undo")
        say("ending 4 hosts")
        if self.stuck:
            raise HostsError(self.stuck)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    for name in ("find", "start", "stop"):
        monkeypatch.setattr(server, name, getattr(made, name))
    monkeypatch.setattr(rehearse_aws, "request", made.request)
    monkeypatch.setattr(rehearse_aws, "_undo", made.undo)
    # It changes this process's variables.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return made


@pytest.fixture
def rehearsal(project: Project, monkeypatch: pytest.MonkeyPatch) -> AwsRehearsal:
    """One that has not begun; a folder of its own."""
    (project.directory / ".dask-cluster").unlink()
    monkeypatch.chdir(project.directory)
    return AwsRehearsal(open_stack("dev"))


def said(_line: str) -> None:
    """Hear what takes a while."""


def test_hosts_are_chosen_once(rehearsal: AwsRehearsal, served: Server) -> None:
    assert rehearsal.known is None
    rehearsal.begin(HOSTS)
    assert rehearsal.has_hosts
    assert os.environ["PATH"].split(":")[:2] == [str(PLUGINS), str(HOSTS_PLUGINS)]
    rehearsal.begin()
    served.instances = None  # kill -9, or a restart of the machine
    assert rehearsal.has_hosts
    rehearsal.begin()
    assert served.did == ["start hosts", "start hosts"]


def test_no_hosts_for_what_began_without(rehearsal: AwsRehearsal, served: Server) -> None:
    rehearsal.begin()
    assert str(HOSTS_PLUGINS) not in os.environ["PATH"]
    with pytest.raises(CommandError) as refused:
        rehearsal.begin(HOSTS)
    assert refused.value.code == 2
    assert str(refused.value) == (
        "the rehearsal of `dev` has begun without hosts, and gets none by an `up`. End it, and "
        f"begin anew:\n{rehearsal._anew()}"
    )
    rehearsal.end(said)
    rehearsal.begin(HOSTS)
    assert served.did == ["start guests", "stop", "start hosts"]


def test_the_end_undoes_what_hosts_needed(rehearsal: AwsRehearsal, served: Server) -> None:
    rehearsal.begin(HOSTS)
    rehearsal.begin(end=True)
    rehearsal.end(said)
    assert served.did == ["start hosts", "stop", "undo"]
    assert not rehearsal.folder.parent.exists()


def test_the_end_of_what_was_killed(rehearsal: AwsRehearsal, served: Server) -> None:
    rehearsal.begin(HOSTS)
    served.instances = None
    rehearsal.begin(end=True)
    assert served.did == ["start hosts", "start records"]
    # This one is killed as well, and the person thinks better of it.
    rehearsal.begin()
    assert served.did[2:] == ["stop", "start hosts"]
    rehearsal.end(said)
    assert served.did[4:] == ["stop", "undo"]
    assert not rehearsal.exists


def test_what_stays_is_tried_again(rehearsal: AwsRehearsal, served: Server) -> None:
    rehearsal.begin(HOSTS)
    served.stuck = "a container does not end"
    with pytest.raises(CommandError, match="a container does not end"):
        rehearsal.end(said)
    assert rehearsal.has_hosts
    served.stuck = ""
    rehearsal.end(said)
    assert not rehearsal.exists


def test_hosts_that_cannot_be(rehearsal: AwsRehearsal, served: Server) -> None:
    served.broken = "hosts need root"
    with pytest.raises(CommandError, match="hosts need root"):
        rehearsal.begin(HOSTS)
    assert served.did == ["undo"]
    assert rehearsal.known is None
    served.broken = ""
    rehearsal.begin()
    assert served.did == ["undo", "start guests"]


def test_hosts_that_can_be_no_longer(rehearsal: AwsRehearsal, served: Server) -> None:
    rehearsal.begin(HOSTS)
    served.instances, served.broken = None, "there is no nft"
    with pytest.raises(CommandError, match="there is no nft"):
        rehearsal.begin()
    assert rehearsal.has_hosts


def test_one_from_before_there_were_hosts(rehearsal: AwsRehearsal, served: Server) -> None:
    served.instances = "hosts"
    assert rehearsal.has_hosts
    served.instances = None
    assert rehearsal.known is None
    state = rehearsal.stack()._store._file
    state.parent.mkdir(parents=True)
    state.touch()
    assert rehearsal.known == "guests"


@pytest.mark.parametrize("action", ["status", "destroy", "sweep"])
def test_hosts_belong_to_up(project: Project, action: str) -> None:
    assert project.refused("rehearse", "dev", action, "--hosts", code=2) == (
        "`--hosts` belongs to `up`, and a rehearsal keeps its hosts to its end. Type:\n"
        f"  {COMMAND} rehearse dev {action}"
    )


RUNS = [
    ("run", "dev", "--rehearsal", "--", "true"),
    ("run", "dev", "--rehearsal", "true"),
    ("run", "--rehearsal", "dev", "--", "true"),
]
OTHERS = [("status", "dev", "--rehearsal"), ("doctor", "--rehearsal", "dev")]


@pytest.mark.parametrize("words", [*RUNS, *OTHERS])
def test_there_is_none(project: Project, words: tuple[str, ...]) -> None:
    said = project.refused(*words, code=6)
    assert said == f"stack `dev` is not rehearsed: `{COMMAND} rehearse dev up`."


@pytest.mark.parametrize("words", RUNS)
def test_nothing_runs_on_records(project: Project, words: tuple[str, ...]) -> None:
    keep(project, "guests")
    assert project.refused(*words, code=2) == (
        "the rehearsal of `dev` has no hosts: its instances are records, and no scheduler runs on "
        f"them. For one with hosts:\n{NONE_YET}"
    )


def test_nothing_runs_any_more(project: Project) -> None:
    keep(project, "hosts")
    assert project.refused(*RUNS[0], code=1) == (
        "the AWS of the rehearsal of `dev` does not run any more, and its hosts ended with it. To "
        f"make them again: `{COMMAND} rehearse dev up`."
    )


def test_a_command_is_missing(project: Project) -> None:
    for words in (("run", "dev", "--rehearsal"), ("run", "dev", "--rehearsal", "--")):
        assert "what is to be run?" in project.refused(*words, code=2)


def test_a_stack_of_this_machine(project: Project) -> None:
    project.edit(platform="local", workers=1)
    said = project.refused("doctor", "dev", "--rehearsal", code=2)
    assert said == f"stack `dev` runs on this machine anyway: `{COMMAND} up dev`."


def keep(project: Project, instances: str) -> None:
    (project.directory / ".dask-cluster").unlink()
    folder = project.directory / ".dask-cluster" / "rehearsals" / "dev"
    folder.mkdir(parents=True)
    (folder / "instances").write_text(f"{instances}\n")


def test_a_local_stack_waits_for_no_aws() -> None:
    heavy = ("boto3", "botocore", "moto", "flask", "kubernetes", "pulumi_kubernetes")
    program = f"import sys, operations.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
