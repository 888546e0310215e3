"""Ids of hosted zones, which begin with Z on AWS."""

from typing import Any

from moto.route53.models import HostedZoneIdentifier

from sandbox.aws.server.repairs.patching import replace

_generate = HostedZoneIdentifier.generate


def apply() -> None:
    """Let zones have such ids."""
    replace(HostedZoneIdentifier, "generate", _with_z)


def _with_z(identifier: HostedZoneIdentifier, *given: Any, **named: Any) -> str:  # noqa: ANN401
    return "Z" + _generate(identifier, *given, **named)[1:]
