"""Buckets as they are since 2023: encrypted, and closed to the public, from the start."""

from typing import Any, Final

from moto.s3.models import FakeBucket, PublicAccessBlock, S3Backend

from sandbox.aws.server.repairs.patching import replace

_ENCRYPTION: Final = {
    "Rule": {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": "false",
    }
}


def apply() -> None:
    """Repair new buckets."""
    original, encryption = FakeBucket.__init__, S3Backend.get_bucket_encryption

    def init(self: FakeBucket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        original(self, *args, **kwargs)
        self.public_access_block = PublicAccessBlock(
            block_public_acls="true",
            ignore_public_acls="true",
            block_public_policy="true",
            restrict_public_buckets="true",
        )

    def get_encryption(self: S3Backend, bucket_name: str) -> dict[str, Any]:
        # Not stored: an object that says nothing of encryption would else get a header of it.
        return encryption(self, bucket_name) or _ENCRYPTION

    replace(FakeBucket, "__init__", init)
    replace(S3Backend, "get_bucket_encryption", get_encryption)
