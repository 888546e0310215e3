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
    """The environment's image in a registry, and the notebooks' one on top of it.

    Docker builds and pushes them, with what `docker login` left; nothing of that gets here. Both
    stay in the registry when the stack goes, since another stack may run the same ones, and a
    refresh believes them there: asking a registry needs Docker and a login wherever a refresh
    runs. A node that cannot pull one says so, and `Ready` repeats it.

    An edit of the Dockerfile or of a file that goes into the build makes other images of the same
    environment; one of the notebooks' files leaves `reference` as it is.

    Attributes:
        reference: The environment's image by digest, as ``ghcr.io/me/dask@sha256:...``.
        jupyter_reference: The notebooks' image by digest; empty without.
    """

    reference: pulumi.Output[str]
    jupyter_reference: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        repository: str,
        base_image: str | None,
        environment: LockedEnvironment,
        jupyter: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Build and push the images, unless they are there for the same files.

        Args:
            name: Name of the resource.
            repository: Where they are pushed, without a tag: that is the environment's identity,
                with ``-jupyter`` behind it for the notebooks' image.
            base_image: What they are built on; it must have the program's Python and its pip.
                None: ``python:<minor>-slim-bookworm``.
            environment: What is built.
            jupyter: Whether the notebooks' image is built, too.
            opts: Resource options.
        """
        project = Path.cwd()
        props = {
            "project": str(project),
            "repository": repository,
            "base_image": base_image or f"python:{environment.python_minor}-slim-bookworm",
            "python": environment.python_minor,
            "identity": environment.identity,
            "requirements": environment.requirements,
            "recipe": _digest(_environment_files(project)),
            "jupyter": _digest(_jupyter_files(project)) if jupyter else "",
            **dict.fromkeys(_OUTPUTS),
        }
        super().__init__(_ImageProvider(), name, props, opts)


# What the environment's image is made of. Where the checkout is makes no difference.
_ENVIRONMENT = ("repository", "base_image", "python", "identity", "recipe")
_OUTPUTS = ("reference", "jupyter_reference")


class _ImageProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        return dynamic.DiffResult(changes=not _same((*_ENVIRONMENT, "jupyter"), olds, news))

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        outs = props | _make(props, reference="")
        return dynamic.CreateResult(id_=props["identity"], outs=outs)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        # Built again it may get another digest, and with it the whole cluster would roll.
        kept = olds["reference"] if _same(_ENVIRONMENT, olds, news) else ""
        return dynamic.UpdateResult(outs=news | _make(news, reference=kept))


def _same(keys: Iterable[str], olds: dict[str, Any], news: dict[str, Any]) -> bool:
    return all(olds.get(key) == news[key] for key in keys)


def _make(props: dict[str, Any], *, reference: str) -> dict[str, str]:
    """Build and push what is missing; return the outputs.

    Args:
        props: The resource's.
        reference: That of the environment's image, if it is there already.
    """
    project, jupyter = Path(props["project"]), ""
    with tempfile.TemporaryDirectory(prefix="dask-image-") as folder:
        context = Path(folder)
        _write(_environment_files(project), context)
        _write(_texts({"extra.txt": props["requirements"]}), context)
        _write(_texts({"requirements.txt": locked_requirements(project)}), context)
        if not reference:
            reference = _pushed(props, context, "environment", props["identity"])
        if props["jupyter"]:
            _write(_jupyter_files(project), context)
            jupyter = _pushed(props, context, "jupyter", f"{props['identity']}-jupyter")
    return {"reference": reference, "jupyter_reference": jupyter}


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


def _environment_files(project: Path) -> Iterator[CheckoutFile]:
    yield CheckoutFile(DOCKERFILE, (project / RECIPE / DOCKERFILE).read_bytes())
    yield from checkout_files(IMAGE_SOURCES, project)


def _jupyter_files(project: Path) -> Iterator[CheckoutFile]:
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
