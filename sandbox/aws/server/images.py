"""Machine images that a person's stack file names: here nobody has built them."""

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami

from sandbox.aws.server.faults import BadRequestError

_KEYS = {"id", "architecture", "region"}
_MORE = {"name", "owner"}


def register(rows: object) -> None:
    """Let images exist, as if they had been built.

    Args:
        rows: A list of mappings with id, architecture and region; name is the id and owner is this
            account, unless they are given.

    Raises:
        BadRequestError: A row is not one.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRequestError("images are a list of objects: id, architecture, region")
    for row in rows:
        if not _KEYS <= set(row) <= _KEYS | _MORE:
            raise BadRequestError(
                f"an image has id, architecture and region, maybe name and owner, not {row!r}"
            )
        backend = ec2_backends[DEFAULT_ACCOUNT_ID][row["region"]]
        backend.amis[row["id"]] = Ami(
            backend,
            row["id"],
            name=row.get("name", row["id"]),
            architecture=row["architecture"],
            virtualization_type="hvm",
            root_device_type="ebs",
            root_device_name="/dev/xvda",
            owner_id=row.get("owner", DEFAULT_ACCOUNT_ID),
        )
