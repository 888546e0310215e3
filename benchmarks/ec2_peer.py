"""Runs ``ec2_cluster.py`` against an AWS on this machine, and counts what EC2Cluster calls."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.clusters import ROOT, line_of, say, started, tell
from benchmarks.rehearsal import REGION, Calls, account, by_operation

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.rehearsal import Account

# Its certificates need cryptography, which its aws extra does not name.
PACKAGES = ("dask-cloudprovider[aws]==2025.9.0", "cryptography>=45")
SCRIPT = ROOT / "benchmarks" / "ec2_cluster.py"
IMAGE = "ami-0123456789abcdef0"
# What EC2Cluster looks for unless it is told another image.
UBUNTU = "ubuntu/images/hvm-ssd/ubuntu-focal-20.04-amd64-server-20250601"
CANONICAL = "099720109477"


@dataclass(frozen=True)
class Peer:
    """What EC2Cluster did.

    Attributes:
        made: Its calls for the workers.
        ended: Its calls to end them.
    """

    made: Calls
    ended: Calls


def peer(folder: Path, sizes: list[int], *, exact: bool = False) -> dict[int, Peer]:
    """Print and return what EC2Cluster does for each size.

    Args:
        folder: Made, for its logs.
        sizes: Numbers of workers, each in an account of its own.
        exact: Give it every id that it would look up.
    """
    found: dict[int, Peer] = {}
    for size in sizes:
        with account(folder / f"aws-{size}") as aws:
            ids = _prepare(aws)
            given = {"region": REGION, **(ids if exact else {})}
            log = folder / f"{size}.log"
            words = [*peer_python(), str(SCRIPT), str(size), json.dumps(given)]
            with started(words, dict(os.environ), log) as one:
                versions = line_of(one, log).strip()
                if not found:
                    say(
                        f"\nEC2Cluster, {'every id given' if exact else 'its defaults'}: {versions}"
                    )
                aws.calls()
                tell(one, "make")
                seconds = float(line_of(one, log))
                made = aws.calls()
                tell(one, "end")
                line_of(one, log)
                found[size] = Peer(made, aws.calls())
        say(f"{f'workers: {size}':34}{made}{seconds:10.1f}")
    say(f"{'the largest, made:':24}{by_operation(made)}")
    say(f"{'and ended:':24}{by_operation(found[sizes[-1]].ended)}")
    return found


def _prepare(aws: Account) -> dict[str, Any]:
    """Make what EC2Cluster needs and cannot make; return the ids that it would look up."""
    image = {"id": IMAGE, "architecture": "x86_64", "region": REGION}
    aws.ask("POST", "images", [image | {"name": UBUNTU, "owner": CANONICAL}])
    ec2 = aws.client("ec2")
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    group = ec2.create_security_group(
        GroupName="dask-default", Description="as EC2Cluster names it", VpcId=vpc["VpcId"]
    )
    return {
        "vpc": vpc["VpcId"],
        "subnet_id": ec2.describe_subnets()["Subnets"][0]["SubnetId"],
        "security_groups": [group["GroupId"]],
        "ami": IMAGE,
    }


def peer_python(packages: tuple[str, ...] = PACKAGES) -> list[str]:
    """Return the words that run Python in the peer's own environment, which uv keeps."""
    os.environ.setdefault("UV_CACHE_DIR", str(ROOT / ".cache" / "uv"))
    os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
    made = ROOT / ".cache" / "uv-tool" / "bin" / "uv"
    uv = os.environ.get("UV") or (str(made) if made.exists() else "uv")
    words = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
    for package in packages:
        words += ["--with", package]
    return [*words, "python"]
