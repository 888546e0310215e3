"""What a machine of the cluster boots from: one archive in S3, named by the hash of its bytes.

It holds the recipe of the environment, our own package, the units and scripts of a host, the
locked requirements and Dask's configuration. A change of any of them is another object.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
from pulumi_aws import s3

from components.aws import partition
from components.checkout_files import CheckoutFile, checkout_files
from components.environment import SOURCES
from components.policy_documents import document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Archive(pulumi.ComponentResource):
    """A private bucket with the archive in it.

    Attributes:
        bucket: Name of the bucket.
        key: Of the object.
        sha256: Of the object's bytes, in hex.
        arn: Of every archive in the bucket. While workers still start from the last template they
            need the last one.
    """

    bucket: pulumi.Output[str]
    key: pulumi.Output[str]
    sha256: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        region: str,
        texts: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the bucket and put the archive into it.

        Args:
            name: Prefix of its resources' names.
            region: Where the bucket is.
            texts: Further files of the archive, by name.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:Archive", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        bucket = self._create_bucket(name, region)
        data = pulumi.Output.all(**texts).apply(lambda files: pack(files, root=Path.cwd()))
        self.sha256 = data.apply(lambda data: hashlib.sha256(data).hexdigest())
        self.bucket = bucket.bucket
        archive = s3.BucketObjectv2(
            f"{name}-archive",
            bucket=bucket.id,
            key=self.sha256.apply(lambda digest: f"archive/{digest}.tar"),
            content_base64=data.apply(lambda data: base64.b64encode(data).decode()),
            content_type="application/x-tar",
            opts=self._child,
        )
        # The object's own: whoever boots from it starts after it and ends before it.
        self.key = archive.key
        self.arn = pulumi.Output.concat(bucket.arn, "/archive/*")
        self.register_outputs({})

    def _create_bucket(self, name: str, region: str) -> s3.Bucket:
        bucket = s3.Bucket(
            name,
            # It holds copies of what is in the checkout; old ones go with the stack.
            force_destroy=True,
            tags={"Name": name},
            opts=self._child,
        )
        s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=bucket.id.apply(lambda name: _only_by_tls(name, region)),
            opts=self._child,
        )
        return bucket


def pack(texts: Mapping[str, str], *, root: Path) -> bytes:
    """Return the archive: a tar whose bytes depend on nothing but its files' contents.

    It is not compressed: two people's zlibs may write the same files in different bytes, and the
    one would replace the other's scheduler.

    Args:
        texts: Files by name, beside the folders of the checkout.
        root: The checkout.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data, executable in _files(texts, root):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if executable else 0o644
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _files(texts: Mapping[str, str], root: Path) -> Iterator[CheckoutFile]:
    yield from checkout_files(SOURCES, root)
    for name in sorted(texts):
        yield CheckoutFile(name, texts[name].encode())


def _only_by_tls(bucket: str, region: str) -> str:
    arn = f"arn:{partition(region)}:s3:::{bucket}"
    statement = {
        "Sid": "OnlyByTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return document([statement])
