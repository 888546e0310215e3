"""What the commands do with a stack on AWS, and what they leave to Pulumi."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.operations.project import COMMAND, IDENTITY, OUTPUTS, SETTINGS

if TYPE_CHECKING:
    from tests.operations.conftest import Account
    from tests.operations.project import Project

LEFT_TO_PULUMI = {
    "up": ("up", "--yes"),
    "preview": ("preview",),
    "destroy": ("destroy", "--yes"),
    "refresh": ("refresh",),
    "stack export": ("export",),
}


@pytest.mark.parametrize("words", LEFT_TO_PULUMI)
def test_what_is_left_to_pulumi(project: Project, words: str) -> None:
    command, *options = LEFT_TO_PULUMI[words]
    assert project.refused(command, "dev", *options, code=2) == (
        "stack `dev` is on AWS, and belongs to Pulumi itself. Type:\n"
        f"  pulumi {words} -s dev\n"
        "To try the stack on this machine, without an account:\n"
        f"  {COMMAND} rehearse dev up"
    )
    assert not (project.outside / "pulumi.json").exists()
    assert not (project.directory / ".dask-cluster" / "state").exists()


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_wrong_settings_come_first(project: Project, command: str) -> None:
    project.edit(**SETTINGS, wokers=3)
    said = project.refused(command, "dev", code=2)
    first, *lines = said.splitlines()
    assert first == f"{project.directory}/stacks/Pulumi.dev.yaml: 1 setting is wrong"
    (line,) = lines
    assert line.split(maxsplit=1) == ["wokers", "unknown key. Did you mean `workers`?"]


def test_the_platform_with_its_namespace(project: Project) -> None:
    project.edit(**{f"dask-cluster:{key}": value for key, value in SETTINGS.items()})
    assert "  pulumi up -s dev\n" in project.refused("up", "dev", code=2)


def test_a_stack_of_this_machine_is_not_refused(project: Project) -> None:
    project.edit(platform="local", workers=1)
    assert project.refused("status", "dev", code=1).startswith("stack `dev` is not up.")


def test_a_file_that_cannot_be_read(project: Project) -> None:
    (project.directory / "stacks" / "Pulumi.dev.yaml").write_text("config: {")
    assert "stacks/Pulumi.dev.yaml" in project.refused("up", "dev", code=2)
    # A destroy needs no stack file.
    assert "nothing to destroy" in project.command("destroy", "dev")[0]


def test_outputs_are_pulumis(project: Project) -> None:
    printed, errors = project.command("outputs", "dev", "--json")
    assert json.loads(printed) == {**OUTPUTS, "client_secret": "[secret]"}
    assert errors == ""
    words = ["stack", "output", "--json", "--non-interactive", "--stack", "dev"]
    assert project.asked() == {"words": words, "cwd": str(project.directory)}
    printed, _ = project.command("outputs", "dev", "--json", "--show-secrets")
    assert json.loads(printed) == OUTPUTS
    assert project.asked()["words"] == [*words, "--show-secrets"]
    printed, _ = project.command("outputs", "dev")
    assert "environment          0123456789abcdef\n" in printed


@pytest.mark.parametrize("words", [("outputs", "dev"), ("run", "dev", "--", "true")])
def test_pulumi_is_missing(project: Project, words: tuple[str, ...]) -> None:
    project.remove("pulumi")
    assert project.refused(*words, code=1) == (
        "stack `dev` is on AWS and its outputs are in Pulumi's backend, but there is no `pulumi` "
        "on PATH. Install it: https://www.pulumi.com/docs/install/"
    )


def test_the_stack_was_never_made(project: Project) -> None:
    (project.outside / "outputs.json").unlink()
    assert project.refused("status", "dev", code=6) == (
        "stack `dev` is not in Pulumi's backend: no stack named 'dev' found.\n"
        "If it is in another one, `pulumi login` there. If it was never made:\n"
        "  pulumi stack init dev\n"
        "  pulumi up -s dev"
    )


@pytest.mark.parametrize("outputs", [{}, {"platform": "vm", "region": "us-east-2"}])
def test_the_stack_is_not_up(project: Project, outputs: dict[str, str]) -> None:
    project.answer(outputs)
    assert project.refused("run", "dev", "--", "true", code=1) == (
        "stack `dev` is not up: it has no outputs yet. Run `pulumi up -s dev`; if one is running, "
        "wait for it."
    )


def test_what_else_pulumi_says(project: Project) -> None:
    project.answer("error: getting secrets manager: incorrect passphrase")
    assert project.refused("status", "dev", code=1) == (
        "`pulumi stack output -s dev` failed: error: getting secrets manager: incorrect passphrase"
    )


def test_nothing_is_to_be_run(project: Project) -> None:
    said = project.refused("run", "dev", "--", code=2)
    assert said == f"what is to be run? {COMMAND} run dev -- COMMAND"


def test_status(project: Project, account: Account) -> None:
    scheduler = account.create_cluster()
    printed, errors = project.command("status", "dev")
    assert errors == ""
    assert (
        "\n".join(map(str.rstrip, printed.splitlines()))
        == f"""
Dask cluster dev  running
  Scheduler    tls://scheduler.dev.dask-cluster.internal:8786
  Runs on      {scheduler} since 2026-11-21 18:00 UTC
  Environment  0123456789abcdef
  Region       us-east-2

  Group      wanted  max  in service  starting  ending  registered  bought
  scheduler       1    1           1         0       0           1  on demand
  worker          4    4           4         0       0           4  on demand"""
    )


def test_status_of_a_fault(project: Project, account: Account) -> None:
    account.create_cluster(environment="fedcba9876543210")
    line = (
        "The scheduler runs environment fedcba9876543210, and the stack's is 0123456789abcdef. "
        "`up` puts it right."
    )
    printed, _ = project.command("status", "dev", code=1)
    assert line in printed.replace("\n", " ").replace("  ", " ")
    printed, _ = project.command("status", "dev", "--json", code=1)
    found = json.loads(printed)
    assert found["faults"] == [line]
    assert (found["stack"], found["outputs"]) == ("dev", OUTPUTS)
    assert found["environment"] == "fedcba9876543210"
    assert found["groups"][0]["wanted"] == 4


def test_doctor(project: Project, account: Account) -> None:
    scheduler = account.create_cluster()
    printed, _ = project.command("doctor", "dev")
    assert f"  ok  scheduler: on {scheduler}, with environment {IDENTITY}\n" in printed
    project.remove("session-manager-plugin")
    printed, _ = project.command("doctor", "dev", code=1)
    assert "  no  the way in, for `run`: there is no `session-manager-plugin` on PATH" in printed


def test_without_credentials(project: Project) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del project.environ[name]
    assert project.refused("status", "dev", code=1) == (
        "AWS, looking at the Auto Scaling groups: there are no credentials. Set AWS_PROFILE, or "
        "run `aws configure`."
    )


def test_an_account_that_cannot_be_reached(project: Project) -> None:
    project.environ |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}
    said = project.refused("status", "dev", code=1)
    assert said.startswith(
        "AWS, looking at the Auto Scaling groups: Could not connect to the endpoint URL"
    )


def test_a_profile_that_does_not_exist(project: Project) -> None:
    project.environ["AWS_PROFILE"] = "nobody"
    said = project.refused("status", "dev", code=1)
    assert said == "AWS, preparing the calls: The config profile (nobody) could not be found"
