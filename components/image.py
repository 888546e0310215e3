"""The environment as container images, built by this machine's Docker and pushed by `up`.

The recipe is ``images/environment/Dockerfile``. The providers live in this importable module on
purpose, as those of `certificates`: do not rename the classes or the module.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import dynamic

from components.checkout_files import DOCKERFILE, CheckoutFile, checkout_files
from components.docker import docker
from components.environment import (
    IMAGE_SOURCES,
    JUPYTER_SOURCES,
    RECIPE,
    locked_requirements,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from components.environment import LockedEnvironment

JUPYTER = "dask-jupyter"


class EnvironmentImage(dynamic.Resource, module="image", name="EnvironmentImage"):
    """The environment's image in a registry, or the notebooks' one on top of it.

    Docker builds and pushes it, with what `docker login` left; nothing of that gets here. It stays
    in the registry when the stack goes, since another stack may run the same one, and a refresh
    believes it there: asking a registry needs Docker and a login wherever a refresh runs. A node
    that cannot pull it says so, and `Ready` repeats it.

    An edit of the Dockerfile or of a file that goes into the build makes another image of the same
    environment. The notebooks' one is a resource by itself, so that a preview of it, which knows
    no digest, touches neither scheduler nor workers.

    Attributes:
        reference: The image by digest, as ``ghcr.io/me/dask@sha256:...``.
    """

    reference: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        repository: str,
        base_image: str | None,
        environment: LockedEnvironment,
        jupyter: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Build and push the image, unless it is there for the same files.

        Args:
            name: Name of the resource.
            repository: Where it is pushed, without a tag: that is the environment's identity,
                with ``-jupyter`` behind it for the notebooks' image.
            base_image: What it is built on; it must have the program's Python and its pip.
                None: ``python:<minor>-slim-bookworm``.
            environment: What is built.
            jupyter: Whether it is the notebooks' image. Its layers begin with those of the other.
            opts: Resource options.
        """
        project = Path.cwd()
        target = "jupyter" if jupyter else "environment"
        props = {
            "project": str(project),
            "target": target,
            "repository": repository,
            "base_image": base_image or f"python:{environment.python_minor}-slim-bookworm",
            "python": environment.python_minor,
            "identity": environment.identity,
            "requirements": environment.requirements,
            "recipe": _digest(_files(project, target)),
            "reference": None,
        }
        super().__init__(_ImageProvider(), name, props, opts)


# What an image is made of. Where the checkout is makes no difference.
_INPUTS = ("target", "repository", "base_image", "python", "identity", "recipe")


class _ImageProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        return dynamic.DiffResult(changes=any(olds.get(key) != news[key] for key in _INPUTS))

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        outs = props | {"reference": _make(props)}
        return dynamic.CreateResult(id_=props["identity"], outs=outs)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(outs=self.create(news).outs)


def _make(props: dict[str, Any]) -> str:
    """Build and push the image; return its reference."""
    project, target = Path(props["project"]), props["target"]
    with tempfile.TemporaryDirectory(prefix="dask-image-") as folder:
        context = Path(folder)
        _write(_files(project, target), context)
        _write(_texts({"extra.txt": props["requirements"]}), context)
        _write(_texts({"requirements.txt": locked_requirements(project)}), context)
        tag = props["identity"] if target == "environment" else f"{props['identity']}-{target}"
        return _pushed(props, context, target, tag)


def _pushed(props: dict[str, Any], context: Path, target: str, tag: str) -> str:
    """Build a target of the Dockerfile and push it; return the image by digest."""
    repository = props["repository"]
    arguments = {
        "BASE_IMAGE": props["base_image"],
        "PYTHON": props["python"],
        "IDENTITY": props["identity"],
    }
    docker(
        "build",
        # Of this machine, which reaches a package registry where a network of Docker's may not.
        "--network=host",
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        f"--target={target}",
        f"--tag={repository}:{tag}",
        str(context),
        reasons=_build_reasons(props),
    )
    said = docker("push", f"{repository}:{tag}", reasons=_push_reasons(repository))
    digest = re.search(rf"^{re.escape(tag)}: digest: (sha256:[0-9a-f]{{64}})", said, re.MULTILINE)
    if digest is None:
        raise pulumi.RunError(f"docker push did not say the digest of {repository}:{tag}:\n{said}")
    return f"{repository}@{digest[1]}"


def _build_reasons(props: dict[str, Any]) -> dict[str, str]:
    base, python = props["base_image"], props["python"]
    return {
        rf"python{re.escape(python)}:.*not found|cannot run python": (
            f"baseImage: {base} has no python{python}, which is the Python of this program. "
            "Name an image that has it, or run the program with the Python of the image."
        ),
        "No module named pip": (
            f"baseImage: the python{python} of {base} has no pip, with which the build begins."
        ),
        r"pull access denied|manifest( for \S+)? (not found|unknown)|failed to resolve|/v2/": (
            f"baseImage: {base} cannot be pulled. Is it spelled right, is its registry "
            "reached, and is `docker login` done?"
        ),
    }


def _push_reasons(repository: str) -> dict[str, str]:
    host = repository.partition("/")[0]
    return {
        r"(?i)denied|unauthorized|authentication required|no basic auth|forbidden": (
            f"imageRepository: {repository} takes no push from here. Log in with "
            f"`docker login {host}`, and see that the repository is there and yours to write."
        ),
        r"name unknown|repository .* (does not|not) exist": (
            f"imageRepository: {repository} is not there. Create it; not every registry does so "
            "on a push."
        ),
        r"(?i)immutable": (
            f"imageRepository: the tags of {repository} cannot be moved, and the same environment "
            "was built from other files. Allow it, or name another repository."
        ),
        r"no such host|connection refused|server gave HTTP response|i/o timeout|x509": (
            f"imageRepository: Docker does not reach the registry of {repository}."
        ),
    }


def _files(project: Path, target: str) -> Iterator[CheckoutFile]:
    """Yield what a target of the Dockerfile is built of, but for the lists of packages."""
    yield CheckoutFile(DOCKERFILE, (project / RECIPE / DOCKERFILE).read_bytes())
    yield from checkout_files(IMAGE_SOURCES, project)
    if target == "jupyter":
        yield from checkout_files(JUPYTER_SOURCES, project)
        yield from _texts({"jupyter.txt": locked_requirements(project, JUPYTER)})


def _texts(texts: dict[str, str]) -> Iterator[CheckoutFile]:
    # Lines of a file, of which the last one has its end, too. Without text it is an empty file.
    for name, text in texts.items():
        lines = "".join(f"{line}\n" for line in text.splitlines())
        yield CheckoutFile(name, lines.encode())


def _digest(files: Iterable[CheckoutFile]) -> str:
    total = hashlib.sha256()
    for name, data, executable in files:
        # With its length, so that nothing can move from one file to the next unseen.
        total.update(f"{name} {executable} {len(data)}\n".encode() + data)
    return total.hexdigest()


def _write(files: Iterable[CheckoutFile], folder: Path) -> None:
    for name, data, executable in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if executable else 0o644)
