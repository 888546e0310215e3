"""Sessions of Session Manager that forward a port: what moto lacks of them.

Whose session it is, nobody asks: like all calls from this machine these need no rights.
"""

import base64
import secrets
import string
from typing import Any, Final

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models import ec2_backends
from moto.ssm.responses import SimpleSystemManagerResponse

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.repairs.patching import add

DOCUMENT: Final = "AWS-StartPortForwardingSession"
# The name of who asked, and 26 letters and digits.
_OWNER: Final = "rehearsal"
_LETTERS: Final = string.ascii_lowercase + string.digits
_MOST_PORT: Final = 65535


def apply() -> None:
    """Add the start and the end of a session."""
    add(SimpleSystemManagerResponse, "start_session", _start)
    add(SimpleSystemManagerResponse, "terminate_session", _terminate)


def _start(self: SimpleSystemManagerResponse) -> ActionResult:
    target = str(self._get_param("Target"))
    document = self._get_param("DocumentName")
    if document != DOCUMENT:
        raise AwsError(
            "InvalidDocument",
            f"The AWS of the rehearsal has no session document but {DOCUMENT}, not {document}.",
        )
    for name, values in (self._get_param("Parameters") or {}).items():
        _check(name, values)
    if not _runs(target, self.region):
        raise AwsError("TargetNotConnected", f"{target} is not connected.")
    session = f"{_OWNER}-{''.join(secrets.choice(_LETTERS) for _ in range(26))}"
    stream = f"wss://ssmmessages.{self.region}.amazonaws.com/v1/data-channel/{session}"
    return ActionResult(
        {
            "SessionId": session,
            "TokenValue": base64.b64encode(secrets.token_bytes(192)).decode(),
            "StreamUrl": f"{stream}?role=publish_subscribe",
        }
    )


def _terminate(self: SimpleSystemManagerResponse) -> ActionResult:
    # AWS too says so of a session that has ended.
    return ActionResult({"SessionId": self._get_param("SessionId")})


def _check(name: str, values: list[str]) -> None:
    if name not in {"portNumber", "localPortNumber"}:
        raise AwsError("InvalidParameters", f"Document {DOCUMENT} has no parameter {name}.")
    least = 1 if name == "portNumber" else 0
    for value in values:
        if not (value.isascii() and value.isdecimal() and least <= int(value) <= _MOST_PORT):
            raise AwsError(
                "InvalidParameters", f'Parameter "{name}" has value "{value}": it is no port.'
            )


def _runs(instance: str, region: str) -> bool:
    backend: Any = ec2_backends[DEFAULT_ACCOUNT_ID][region]
    try:
        return bool(backend.get_instance(instance).state == "running")
    except InvalidInstanceIdError:
        return False
