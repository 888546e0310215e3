"""How the commands talk to AWS: by the credentials of the person who runs them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clients(Protocol):
    """Where clients of AWS's services come from; a ``boto3.Session`` is one."""

    def client(self, service_name: str, /) -> Any:  # noqa: ANN401  # boto3 makes its classes at run time
        """Return the client of a service."""
        ...


def session(region: str) -> Clients:
    """Return the clients of a region.

    Credentials, profile and endpoint are those of AWS's standard chain and variables.
    """
    import boto3  # noqa: PLC0415  # a quarter of a second, which a local stack need not wait

    with calling("preparing the calls"):
        made: Clients = boto3.Session(region_name=region)
    return made


@contextlib.contextmanager
def calling(what: str) -> Iterator[None]:
    """Turn what boto3 raises into an error for the person at the keyboard.

    Args:
        what: What the call is for, such as ``reading the certificate``.

    Raises:
        CommandError: A call failed.
    """
    # Only where AWS is called: a local stack need not wait for it.
    from botocore.exceptions import (  # noqa: PLC0415
        BotoCoreError,
        ClientError,
        NoCredentialsError,
    )

    try:
        yield
    except NoCredentialsError:
        raise CommandError(
            f"AWS, {what}: there are no credentials. Set AWS_PROFILE, or run `aws configure`."
        ) from None
    except (BotoCoreError, ClientError) as error:
        raise CommandError(f"AWS, {what}: {error}") from error
