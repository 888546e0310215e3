"""Hosts as the components describe them: ordinary ones, and the longest that are legal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from components.boot import Efs, Lustre, SchedulerHost, WorkerHost

AnyHost = TypeVar("AnyHost", bound=SchedulerHost | WorkerHost)

SHA256 = "5f" * 32
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"

SCHEDULER = SchedulerHost(
    cluster="dev",
    region="eu-west-1",
    group="scheduler",
    auto_scaling_group="dev-scheduler",
    archive_bucket="dev-archive-0a1b2c3",
    archive_key=f"archive/{SHA256}.tar",
    archive_sha256=SHA256,
    environment="0123456789abcdef",
    secret=f"{ARN}dask-cluster/dev/scheduler-AbCdEf",
    fingerprint="89abcdef01234567",
    drain_seconds=900.0,
    zone_id="Z0123456789ABCDEFGHIJ",
    record="scheduler.dev.dask-cluster.internal",
)

WORKER = WorkerHost(
    cluster="dev",
    region="eu-west-1",
    group="worker",
    auto_scaling_group="dev-worker",
    archive_bucket="dev-archive-0a1b2c3",
    archive_key=f"archive/{SHA256}.tar",
    archive_sha256=SHA256,
    environment="0123456789abcdef",
    secret=f"{ARN}dask-cluster/dev/worker-AbCdEf",
    fingerprint="89abcdef01234567",
    drain_seconds=900.0,
)

HPC_WORKER = WorkerHost(
    cluster="hpc",
    region="us-east-2",
    group="sim",
    auto_scaling_group="hpc-sim",
    archive_bucket="hpc-archive-0a1b2c3",
    archive_key=f"archive/{SHA256}.tar",
    archive_sha256=SHA256,
    environment="0123456789abcdef",
    secret=f"{ARN}dask-cluster/hpc/worker-AbCdEf",
    fingerprint="89abcdef01234567",
    drain_seconds=28_800.0,
    processes=4,
    threads=24,
    memory=90 * 2**30,
    resources={"MPI": 1.0, "disk:nvme": 0.5},
    spill_to_nvme=True,
    efs=Efs(id="fs-0123456789abcdef0", path="/efs", new=False),
    lustre=Lustre(
        dns_name="fs-0fedcba9876543210.fsx.us-east-2.amazonaws.com",
        mount_name="a1b2c3d4",
        path="/fsx",
        new=True,
    ),
)

_LONG_ARN = "arn:aws-us-gov:secretsmanager:us-gov-east-1:123456789012:secret:"
_LONG_KEY = f"{'k' * 8}/{SHA256}.tar"

LONGEST_SCHEDULER = SchedulerHost(
    cluster="c" * 63,
    region="us-gov-central-1",
    group="scheduler",
    auto_scaling_group="a" * 96,
    archive_bucket="b" * 63,
    archive_key=_LONG_KEY,
    archive_sha256=SHA256,
    environment="e" * 16,
    secret=_LONG_ARN + "s" * (170 - len(_LONG_ARN)),
    fingerprint="f" * 16,
    drain_seconds=28_799.5,
    zone_id="Z" + "0" * 31,
    record="r" * 87 + ".internal",
)

LONGEST_WORKER = WorkerHost(
    cluster="c" * 63,
    region="us-gov-central-1",
    group="g" * 20,
    auto_scaling_group="a" * 96,
    archive_bucket="b" * 63,
    archive_key=_LONG_KEY,
    archive_sha256=SHA256,
    environment="e" * 16,
    secret=_LONG_ARN + "s" * (170 - len(_LONG_ARN)),
    fingerprint="f" * 16,
    drain_seconds=28_799.5,
    processes=100,
    threads=10_000,
    memory=2**50,
    resources={"r" * 98: 1.0, "s" * 97: 2.0},
    spill_to_nvme=True,
    efs=Efs(id="fs-" + "0" * 37, path="/" + "e" * 39, new=False),
    lustre=Lustre(dns_name="fs-0." + "d" * 75, mount_name="m" * 8, path="/" + "l" * 39, new=False),
)


def other(host: AnyHost, **values: Any) -> AnyHost:  # noqa: ANN401  # wrong types too
    """Return a host that differs in some values."""
    return replace(host, **values)
