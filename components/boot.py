"""What a machine of the cluster is told at its first boot: typed values -> cloud-init's user data.

Pure functions: the same host is always the same text, and another text is another launch template.
The text is ``images/host/user-data.sh`` with the values of one host in it; everything else comes
with the archive. Only names, ARNs and numbers get in, so there is no place for a secret.
"""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.settings import ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEMPLATE = Path("images") / "host" / "user-data.sh"
MOST_BYTES = 4096

BOOT_HOOK = "boot"
"""Launch hook of the scheduler's group: its host ends it when the scheduler listens."""
DRAIN_HOOK = "drain"
"""Terminate hook of every group: a host ends it when its workers have ended."""

CERTIFICATES = Path("/run/dask/tls")
"""Where a host keeps authority.pem, certificate.pem and key.pem of its one role."""
SCRATCH = Path("/var/lib/dask/scratch")
"""Where workers spill; with ``spill_to_nvme`` the local disks are mounted here."""


@dataclass(frozen=True, kw_only=True)
class Efs:
    """An EFS file system.

    Attributes:
        id: Such as ``fs-0123456789abcdef0``.
        path: Where hosts mount it, such as ``/efs``.
        new: Whether the stack made it, as scratch: then everybody may write at its top.
    """

    id: str
    path: str
    new: bool


@dataclass(frozen=True, kw_only=True)
class Lustre:
    """An FSx for Lustre file system.

    Attributes:
        dns_name: Such as ``fs-0123456789abcdef0.fsx.us-east-1.amazonaws.com``.
        mount_name: Such as ``fsx`` or ``a1b2c3d4``.
        path: Where hosts mount it, such as ``/fsx``.
        new: Whether the stack made it, as scratch: then everybody may write at its top.
    """

    dns_name: str
    mount_name: str
    path: str
    new: bool


@dataclass(frozen=True, kw_only=True)
class Host:
    """What hosts of both roles are told.

    Attributes:
        cluster: The stack's name, 63 characters at most: it is a label of DNS.
        region: Such as ``us-east-1``.
        group: ``scheduler``, ``worker`` or the name of another group of workers.
        auto_scaling_group: The name of its group on AWS.
        archive_bucket: The archive's bucket.
        archive_key: Its key; the last part is ``<sha256>.tar``.
        archive_sha256: The hash of its bytes, in hex: a host refuses another archive.
        environment: The identity of the environment: a host refuses another one.
        secret: ARN of the secret with the certificate of this role.
        fingerprint: Hash of that certificate, in hex: with another one it is another host.
        drain_seconds: How long a worker that ends may take to hand over its data.
    """

    cluster: str
    region: str
    group: str
    auto_scaling_group: str
    archive_bucket: str
    archive_key: str
    archive_sha256: str
    environment: str
    secret: str
    fingerprint: str
    drain_seconds: float


@dataclass(frozen=True, kw_only=True)
class SchedulerHost(Host):
    """The host of the scheduler.

    Attributes:
        zone_id: The private zone, such as ``Z0123456789ABCDEFGHIJ``.
        record: The name by which everybody finds the scheduler; the host sets its A record.
    """

    zone_id: str
    record: str


@dataclass(frozen=True, kw_only=True)
class WorkerHost(Host):
    """A host of a group of workers.

    Attributes:
        processes: Worker processes on this host.
        threads: Of one process; None: the host's CPUs, split over its processes.
        memory: Of one process at most, in bytes; None: what the host has. A host never gives its
            processes more than 0.92 of its memory less 512 MiB in all.
        resources: Of one process, as Dask counts them.
        spill_to_nvme: Whether the host's local disks become the scratch space; without any it
            does not start.
        efs: To be mounted, or None.
        lustre: To be mounted, or None.
    """

    processes: int = 1
    threads: int | None = None
    memory: int | None = None
    resources: Mapping[str, float] = field(default_factory=dict)
    spill_to_nvme: bool = False
    efs: Efs | None = None
    lustre: Lustre | None = None


def boot_text(host: SchedulerHost | WorkerHost, *, template: Path = TEMPLATE) -> str:
    """Return the user data of a host: a script of at most 4 KiB.

    Args:
        host: What is special about it.
        template: The script, relative to the checkout in which the program runs.

    Raises:
        ValueError: A value is not of its form (the message names it), or the template has another
            placeholder, or the text is too long.
    """
    parameters = "\n".join(f"{name}={shlex.quote(value)}" for name, value in _parameters(host))
    code = "\n".join(line for line in template.read_text().splitlines() if not _comment(line))
    text = render(code + "\n", {"PARAMETERS": parameters})
    size = len(text.encode())
    if size > MOST_BYTES:
        raise ValueError(
            f"The user data of group {host.group} has {size} bytes, and {MOST_BYTES} at most are "
            "allowed. Shorten the names of resources and the paths of file systems."
        )
    return text


def render(template: str, values: Mapping[str, str]) -> str:
    """Put values in the place of ``@NAME@``; each of them is there, and no other.

    Raises:
        ValueError: A placeholder has no value, or a value no placeholder.
    """
    found = set(re.findall(r"@([A-Z_]+)@", template))
    if found != values.keys():
        odd = ", ".join(sorted(found ^ values.keys()))
        raise ValueError(f"The template and the values do not fit together: {odd}.")
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], template)


def placed_configuration(*, scheduler_address: str) -> dict[str, Any]:
    """Return what hosts on AWS decide in ``dask.yaml``, for `environment.dask_configuration`.

    A host has the certificate of one role; whatever its processes do, they do it with that one.

    Args:
        scheduler_address: Such as ``tls://scheduler.dev.dask-cluster.internal:8786``.
    """
    pair = {"cert": str(CERTIFICATES / "certificate.pem"), "key": str(CERTIFICATES / "key.pem")}
    roles = {role: dict(pair) for role in ("scheduler", "worker", "client")}
    registered = {"preload": ["dask_node.aws.registered"]}
    return {
        "scheduler-address": scheduler_address,
        "temporary-directory": str(SCRATCH),
        "distributed": {
            "comm": {"tls": {"ca-file": str(CERTIFICATES / "authority.pem"), **roles}},
            "scheduler": dict(registered),
            "worker": dict(registered),
        },
    }


def _parameters(host: SchedulerHost | WorkerHost) -> Iterator[tuple[str, str]]:
    """Return the lines of a host's settings: a name and a value that was looked at."""
    if host.archive_key.rpartition("/")[2] != f"{host.archive_sha256}.tar":
        raise ValueError(f"archive_key: {host.archive_key!r} does not end with the hash.")
    yield "ROLE", "scheduler" if isinstance(host, SchedulerHost) else "worker"
    # Of all names: the log group, and what the SSM parameters begin with.
    yield "PREFIX", f"/dask-cluster/{_checked(host, 'cluster')}"
    yield "AWS_DEFAULT_REGION", _checked(host, "region")
    yield "GROUP", _checked(host, "group")
    yield "ASG", _checked(host, "auto_scaling_group")
    bucket, key = _checked(host, "archive_bucket"), _checked(host, "archive_key")
    yield "ARCHIVE", f"s3://{bucket}/{key}"
    yield "ENVIRONMENT", _checked(host, "environment")
    yield "SECRET", _checked(host, "secret")
    yield "CERTIFICATE", _checked(host, "fingerprint")
    yield "DRAIN", _number("drain_seconds", math.ceil(host.drain_seconds), 28_800)
    if isinstance(host, SchedulerHost):
        yield "ZONE", _checked(host, "zone_id")
        yield "RECORD", _checked(host, "record")
        yield "PORTS", f"{ports.SCHEDULER} {ports.DASHBOARD}"
    else:
        yield from _worker_parameters(host)


def _worker_parameters(host: WorkerHost) -> Iterator[tuple[str, str]]:
    yield "PORTS", f"{_span(ports.WORKERS)} {_span(ports.NANNIES)} {ports.WORKER_DASHBOARDS.start}"
    yield "PROCESSES", _number("processes", host.processes, ports.PROCESSES_ON_A_MACHINE)
    if host.threads is not None:
        yield "THREADS", _number("threads", host.threads, 10_000)
    if host.memory is not None:
        yield "MEMORY", _number("memory", host.memory, 2**50)
    if host.resources:
        yield "RESOURCES", _resources(host.resources)
    if host.spill_to_nvme:
        yield "SPILL", "nvme"
    if host.efs:
        path = _checked(host.efs, "path")
        yield "EFS", f"{_checked(host.efs, 'id')} {path} {_kind(new=host.efs.new)}"
    if host.lustre:
        disk = host.lustre
        where = f"{_checked(disk, 'dns_name')}@tcp:/{_checked(disk, 'mount_name')}"
        yield "LUSTRE", f"{where} {_checked(disk, 'path')} {_kind(new=disk.new)}"


# What a value must look like, and how long it may be, by the name of the attribute.
_NAME = r"[A-Za-z0-9_.-]+"
_FORMS = {
    "cluster": (r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", 63),
    "region": (r"[a-z]{2,4}(-[a-z]+)+-[0-9]", 16),
    "group": (r"[a-z][a-z0-9-]*", 20),
    "auto_scaling_group": (_NAME, 96),
    "archive_bucket": (r"[a-z0-9][a-z0-9.-]+", 63),
    "archive_key": (r"[A-Za-z0-9_./-]+", 80),
    "environment": (r"[0-9a-f]{16}", 16),
    "secret": (r"arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+", 170),
    "fingerprint": (r"[0-9a-f]+", 16),
    "zone_id": (r"Z[A-Z0-9]+", 32),
    "record": (r"([A-Za-z0-9-]+\.)+[a-z]+", 96),
    "id": (r"fs-[0-9a-f]+", 40),
    "dns_name": (r"fs-[0-9a-f]+(\.[a-z0-9-]+)+", 80),
    "mount_name": (r"[A-Za-z0-9_-]+", 8),
    # Slashes only between names: nothing above or beside the mount is meant.
    "path": (rf"(/(?!\.\.?(/|$)){_NAME})+", 40),
}
_RESOURCE = r"[A-Za-z0-9_.:/-]+"
_LONGEST_RESOURCES = 200


def _checked(owner: object, name: str) -> str:
    value = getattr(owner, name)
    pattern, longest = _FORMS[name]
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise ValueError(f"{name}: {value!r} is not of the form {pattern}.")
    if len(value) > longest:
        raise ValueError(f"{name}: {value!r} is longer than {longest} characters.")
    return value


def _number(name: str, value: float, most: int) -> str:
    if not 0 < value <= most:
        raise ValueError(f"{name}: {value!r} is not a number above 0 and up to {most}.")
    return str(int(value)) if value == int(value) else repr(value)


def _resources(resources: Mapping[str, float]) -> str:
    """Write resources as Dask's command line takes them."""
    for name in resources:
        if not re.fullmatch(_RESOURCE, name, re.ASCII):
            raise ValueError(f"resources: {name!r} is not of the form {_RESOURCE}.")
    amounts = (f"{n}={_number(f'resources.{n}', a, 2**50)}" for n, a in resources.items())
    text = ",".join(amounts)
    if len(text) > _LONGEST_RESOURCES:
        raise ValueError(f"resources: {text!r} is longer than {_LONGEST_RESOURCES} characters.")
    return text


def _kind(*, new: bool) -> str:
    return "new" if new else "existing"


def _span(of: range) -> str:
    return f"{of.start}:{of.stop - 1}"


def _comment(line: str) -> bool:
    return line.lstrip().startswith("#") and not line.startswith("#!")
