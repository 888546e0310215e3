"""How one value about Kubernetes is read: contexts, names, images, CPUs, sizes.

Formats are those of Kubernetes ("Object Names and IDs", "Resource units in Kubernetes") and of the
distribution project's `reference.Grammar`, by which Docker and containerd read names of images.
"""

import re
from decimal import Decimal
from typing import Annotated, Literal

from components.settings.choices import matching, one_of
from components.settings.problems import WrongValueError, show
from components.settings.scalars import (
    GIB,
    MIB,
    TIB,
    Reads,
    or_null,
    quantity,
    quantity_schema,
    size,
    size_schema,
)

# No node is larger: what is more is a slip, and no pod would ever start.
_LEAST_CPU, _MOST_CPU = Decimal("0.05"), Decimal(512)
_MOST_MEMORY = 32 * TIB
_MOST_DISK = 64 * TIB

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SUBDOMAIN = r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_HOST = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?"
_NAME = rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_LONGEST_NAME = 255

_REPOSITORY_EXAMPLE = "ghcr.io/me/dask"
_BY_DIGEST = (
    f"Write it as `{_REPOSITORY_EXAMPLE}@sha256:` and 64 digits, as `docker push` shows it."
)
_MILLICORES = re.compile(r"\s*([1-9][0-9]{0,6})m\s*")


def _namespace(name: str) -> str:
    if name.startswith("kube-"):
        problem = f"{show(name)}: Kubernetes keeps `kube-` for itself"
        raise WrongValueError(problem, "Write another name, or remove the line.")
    return name


def _parts_of_image(value: object, remedy: str) -> tuple[str, str, str]:
    """Split into name, tag and digest what could be the name of an image at all."""
    text = value.strip() if isinstance(value, str) else ""
    if "://" in text:
        raise WrongValueError(f"{show(value)} is an address", f"Leave out the scheme. {remedy}")
    before, _, digest = text.partition("@")
    start, slash, last = before.rpartition("/")
    last, _, tag = last.partition(":")
    name = f"{start}{slash}{last}"
    if name != name.lower():
        problem = f"{show(value)} has capital letters"
        raise WrongValueError(problem, f"Names of images have none. {remedy}")
    if not re.fullmatch(_NAME, name) or len(name) > _LONGEST_NAME:
        raise WrongValueError(f"{show(value)} is no name of an image", remedy)
    return name, tag, digest


def _repository(value: object) -> str:
    remedy = f"Write for example `{_REPOSITORY_EXAMPLE}`."
    name, tag, digest = _parts_of_image(value, remedy)
    if "/" not in name:
        problem = f"{show(value)} says neither a registry nor an account"
        raise WrongValueError(problem, remedy)
    if tag or digest:
        problem = f"{show(value)} names one image and not where images go"
        raise WrongValueError(problem, f"Write `{name}`: `up` names the images itself.")
    return name


def _image(value: object) -> str:
    name, tag, digest = _parts_of_image(value, _BY_DIGEST)
    if not digest:
        problem = f"{show(value)} may be another image tomorrow, `:{tag or 'latest'}` moves"
        raise WrongValueError(problem, _BY_DIGEST)
    if tag:
        problem = f"{show(value)} has a tag and a digest"
        raise WrongValueError(problem, f"Leave out `:{tag}`: the digest alone says which.")
    if not re.fullmatch(_DIGEST, digest):
        raise WrongValueError(f"{show(value)} has no right digest", _BY_DIGEST)
    return f"{name}@{digest}"


def _base_image(value: object) -> str:
    remedy = "Write for example `python:3.11-slim-bookworm`."
    name, tag, digest = _parts_of_image(value, remedy)
    if digest and not re.fullmatch(_DIGEST, digest):
        raise WrongValueError(
            f"{show(value)} has no right digest", "Write `sha256:` and its 64 digits."
        )
    if not digest and tag in ("", "latest"):
        problem = f"{show(value)} says no version"
        raise WrongValueError(problem, remedy)
    if tag and not re.fullmatch(_TAG, tag):
        raise WrongValueError(f"{show(value)} has no right tag", remedy)
    return f"{name}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"


def _cpu(value: object) -> float:
    number = quantity(value, {"": 1})
    if number is None:
        milli = _MILLICORES.fullmatch(value) if isinstance(value, str) else None
        example = f"{Decimal(milli[1]) / 1000:f}" if milli else "0.5"
        problem = f"{show(value)} is not a number of CPUs"
        raise WrongValueError(problem, f"Write for example `{example}`.")
    if not _LEAST_CPU <= number <= _MOST_CPU:
        remedy = f"Write a number from {_LEAST_CPU} to {_MOST_CPU}."
        raise WrongValueError(f"{show(value)} is out of range", remedy)
    if number * 1000 % 1:
        problem = f"{show(value)} is finer than Kubernetes counts"
        raise WrongValueError(problem, "Write at most three decimals.")
    return float(number)


def _size(least: int, most: int) -> Reads:
    """Read a size from `least` to `most` bytes."""

    def parse(value: object) -> int:
        found = size(value)
        if found < least:
            raise WrongValueError(f"{show(value)} is too small", f"Write at least `{_in(least)}`.")
        if found > most:
            raise WrongValueError(f"{show(value)} is too large", f"Write at most `{_in(most)}`.")
        return found

    return Reads(parse, size_schema(least))


def _in(bytes_: int) -> str:
    unit, name = next(
        each for each in ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB")) if bytes_ >= each[0]
    )
    return f"{bytes_ // unit} {name}"


Context = Annotated[
    str,
    matching(
        r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?",
        problem="is no name of a context",
        remedy="Write one that `kubectl config get-contexts` shows, for example `kind-kind`.",
    ),
]
Namespace = Annotated[
    str | None,
    or_null(
        matching(
            _LABEL,
            problem="is no name of a namespace",
            remedy="Write at most 63 of a-z, 0-9 and `-`, with no `-` first or last.",
            check=_namespace,
        )
    ),
]
ImageRepository = Annotated[
    str | None,
    or_null(
        Reads(
            _repository,
            {
                "type": "string",
                "pattern": rf"^\s*(?:{_HOST}|{_COMPONENT})(?:/{_COMPONENT})+\s*$",
            },
        )
    ),
]
Image = Annotated[
    str | None,
    or_null(Reads(_image, {"type": "string", "pattern": rf"^\s*{_NAME}@{_DIGEST}\s*$"})),
]
BaseImage = Annotated[
    str | None,
    or_null(
        Reads(
            _base_image,
            {
                "type": "string",
                "pattern": rf"^\s*{_NAME}(?::{_TAG}|(?::{_TAG})?@{_DIGEST})\s*$",
            },
        )
    ),
]
Cpu = Annotated[
    float,
    Reads(
        _cpu,
        {
            "anyOf": [
                quantity_schema({"": 1}, 0)[0],
                {"type": "number", "minimum": float(_LEAST_CPU), "maximum": float(_MOST_CPU)},
            ]
        },
    ),
]
# What a worker needs at least goes with its processes: a rule says it.
WorkerMemory = Annotated[int, _size(0, _MOST_MEMORY)]
ContainerMemory = Annotated[int, _size(256 * MIB, _MOST_MEMORY)]
Disk = Annotated[int, _size(GIB, _MOST_DISK)]
ServiceType = Annotated[
    Literal["ClusterIP", "NodePort", "LoadBalancer"],
    one_of("ClusterIP", "NodePort", "LoadBalancer"),
]
Autoscaler = Annotated[Literal["scaler", "hpa"], one_of("scaler", "hpa")]
StorageClass = Annotated[
    str | None,
    or_null(
        matching(
            _SUBDOMAIN,
            problem="is no name of a storage class",
            remedy="Write one that `kubectl get storageclass` shows, for example `gp3`.",
        )
    ),
]
