"""`up` builds and pushes the environment's images when what they are made of has changed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.image import _ImageProvider
from tests.environment.built import clean_environ
from tests.environment.image_stack import REPOSITORY, ImageStack

MINOR = "{}.{}".format(*sys.version_info)


@pytest.fixture
def stack(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageStack:
    return ImageStack(checkout, tmp_path, monkeypatch)


def test_the_life_of_an_image(stack: ImageStack) -> None:
    assert stack.preview() == {"create": 3}
    assert stack.calls() == []

    made = stack.up()
    build, push = stack.calls()
    identity = made["identity"]
    assert build["arguments"][:-1] == [
        "build",
        "--network=host",
        f"--build-arg=BASE_IMAGE=python:{MINOR}-slim-bookworm",
        f"--build-arg=PYTHON={MINOR}",
        f"--build-arg=IDENTITY={identity}",
        "--target=environment",
        f"--tag={REPOSITORY}:{identity}",
    ]
    assert push["arguments"] == ["push", f"{REPOSITORY}:{identity}"]
    assert re.fullmatch(rf"{REPOSITORY}@sha256:[0-9a-f]{{64}}", made["reference"])

    assert stack.preview() == {"same": 3}
    assert stack.up() == made
    stack.destroy()
    assert stack.calls() == [], "a registry's images are not the stack's alone"


def test_docker_gets_nothing_of_pulumis_and_leaves_nothing(stack: ImageStack) -> None:
    stack.up()
    calls = stack.calls()
    assert [(call["variables"], call["input"]) for call in calls] == [([], ""), ([], "")]
    assert not Path(calls[0]["arguments"][-1]).exists(), "the build's folder is still there"


def test_a_build_finds_the_identity_that_the_program_found(stack: ImageStack) -> None:
    """With the recipe's own means, in what it was given."""
    stack.config(jupyter=True)
    made = stack.up()
    context = stack.docker / "context"
    done = subprocess.run(
        [
            *("environment/install.sh", "--identity", "--python", sys.executable),
            *("--requirements", "requirements.txt", "--extra", "extra.txt"),
        ],
        cwd=context,
        capture_output=True,
        text=True,
        check=False,
        env=clean_environ(),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == made["identity"]
    assert (context / "extra.txt").read_text() == ""
    for name, package in (("requirements.txt", "dask"), ("jupyter.txt", "jupyterlab")):
        assert re.search(rf"(?m)^{package}==.*\\\n +--hash=", (context / name).read_text())
    copied = re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", (context / "Dockerfile").read_text())
    assert len(copied) > 5
    for path in " ".join(copied).split():
        assert (context / path).exists(), f"the Dockerfile wants {path}"


def test_notebooks_come_and_go_without_touching_the_cluster(stack: ImageStack) -> None:
    plain = stack.up()
    stack.calls()

    stack.config(jupyter=True)
    assert stack.preview() == {"create": 1, "same": 3}
    both = stack.up()
    assert stack.targets() == ["jupyter"]
    assert both["reference"] == plain["reference"]
    assert both["jupyter_reference"].startswith(f"{REPOSITORY}@sha256:")

    settings = stack.checkout / "images" / "jupyter" / "jupyter_server_config.py"
    settings.write_text(settings.read_text() + "\n")
    assert stack.preview() == {"update": 1, "same": 3}
    edited = stack.up()
    assert stack.targets() == ["jupyter"]
    assert edited["reference"] == plain["reference"]
    assert edited["jupyter_reference"] != both["jupyter_reference"]

    stack.config()
    assert stack.up() == plain
    assert stack.calls() == []


def test_what_an_edit_rebuilds(stack: ImageStack) -> None:
    images = stack.checkout / "images"
    stack.config(jupyter=True)
    made = stack.up()
    stack.calls()
    for name, same_environment in (
        ("environment/Dockerfile", True),
        ("environment/install.sh", True),
        ("node/dask_node/worker.py", False),
    ):
        path = images / name
        path.write_text(path.read_text() + "\n# edited\n")
        edited = stack.up()
        assert stack.targets() == ["environment", "jupyter"], name
        assert (edited["identity"] == made["identity"]) == same_environment, name
        assert edited["reference"] != made["reference"], name
        assert edited["jupyter_reference"] != made["jupyter_reference"], name
        made = edited


def test_another_base_or_repository(stack: ImageStack) -> None:
    made = stack.up()
    stack.calls()
    stack.config(base="debian@sha256:1234")
    rebased = stack.up()
    assert "--build-arg=BASE_IMAGE=debian@sha256:1234" in stack.calls()[0]["arguments"]
    assert rebased["reference"] != made["reference"]
    stack.config(base="debian@sha256:1234", repository="elsewhere/dask")
    assert stack.up()["reference"].startswith("elsewhere/dask@sha256:")
    assert stack.targets() == ["environment"]


def test_a_failed_up_builds_at_the_next(stack: ImageStack) -> None:
    (stack.docker / "fails").write_text("push\ndenied: requested access to the resource is denied")
    told = stack.fails()
    assert f"imageRepository: {REPOSITORY} takes no push from here" in told
    assert "Traceback" not in told
    (stack.docker / "fails").unlink()
    assert stack.up()["reference"]


BASE = f"baseImage: python:{MINOR}-slim-bookworm"
# The command of Docker, the last line of what it says, and what is said to the user.
FAILURES = {
    "daemon": (
        "build",
        "ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
        "No Docker daemon answers. Start Docker, or say where it is with DOCKER_HOST.",
    ),
    "socket": (
        "build",
        "permission denied while trying to connect to the Docker daemon socket",
        "takes no calls of this user. Add the user to the group docker",
    ),
    "python of the base": (
        "build",
        f"/bin/sh: 1: python{MINOR}: not found",
        f"{BASE} has no python{MINOR}, which is the Python of this program",
    ),
    "pip of the base": (
        "build",
        f"/usr/bin/python{MINOR}: No module named pip",
        f"baseImage: the python{MINOR} of python:{MINOR}-slim-bookworm has no pip",
    ),
    "base": (
        "build",
        "pull access denied for no/such, repository does not exist or may require 'docker login'",
        f"{BASE} cannot be pulled",
    ),
    "anything": ("build", "no space left on device", "The environment's image cannot be made."),
    "login": (
        "push",
        "unauthorized: authentication required",
        "takes no push from here. Log in with `docker login registry.example.com:5000`",
    ),
    "repository": ("push", "name unknown: The repository does not exist", "is not there. Create"),
    "tag": ("push", "tag invalid: the tag is immutable", "cannot be moved"),
    "registry": ("push", "dial tcp: lookup registry.example.com: no such host", "does not reach"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_says_what_to_do(stack: ImageStack, name: str) -> None:
    command, said, wanted = FAILURES[name]
    lines = [f"line {number}" for number in range(40)]
    (stack.docker / "fails").write_text("\n".join([command, *lines, said]))
    with pytest.raises(pulumi.RunError) as raised:
        _ImageProvider().create(properties(stack))
    told = str(raised.value)
    assert wanted in told
    assert f"docker {command} said:\n" in told
    assert told.endswith(f"line 39\n{said}"), "Docker's own words"
    assert "line 20\n" not in told, "only the last of them"


def test_without_docker(stack: ImageStack, monkeypatch: pytest.MonkeyPatch) -> None:
    (stack.docker / "docker").unlink()
    without = stack.docker.with_name("without")
    without.mkdir()
    for program in ("bash", "dirname", "mktemp", "rm", "cat", "sed"):
        found = shutil.which(program)
        assert found is not None
        (without / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(without))
    with pytest.raises(pulumi.RunError, match=r"docker is not on PATH.* Install Docker, or name"):
        _ImageProvider().create(properties(stack))


def properties(stack: ImageStack) -> dict[str, Any]:
    """Return those of a resource, as the engine hands them to its provider."""
    return {
        "project": str(stack.checkout),
        "repository": REPOSITORY,
        "base_image": f"python:{MINOR}-slim-bookworm",
        "python": MINOR,
        "identity": "0123456789abcdef",
        "requirements": "",
        "recipe": "1234",
        "target": "environment",
    }
