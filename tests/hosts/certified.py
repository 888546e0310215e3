"""Who calls at a cluster's door, and with which certificate."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest.mock import patch

from components import certificates

if TYPE_CHECKING:
    from collections.abc import Mapping

Callers: TypeAlias = "dict[str, dict[str, str] | None]"
"""By a name for each, what `tests.hosts.knock` takes."""

# What each of them meets: an alert of TLS, or nothing.
MET = {
    "right": "answer",
    "of another cluster": "TLSV1_ALERT_UNKNOWN_CA",
    "of another cluster of this name": "TLSV1_ALERT_DECRYPT_ERROR",
    "expired": "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "without a certificate": "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "old TLS": "TLSV1_ALERT_PROTOCOL_VERSION",
    "plain tcp": "silence",
}
# And as a client of Dask, which speaks the highest version that there is, whatever else it might.
COMPUTED = dict.fromkeys(MET, "refused") | {"right": 3, "old TLS": 3}

_DAYS = certificates.CERTIFICATE_DAYS + 1


def callers(stack: str, state: Mapping[str, Any]) -> Callers:
    """Return one who may come in, and all others.

    Args:
        stack: The stack's name.
        state: Of the cluster, with its secrets in clear: the key of its authority is nowhere else.
    """
    resources = state["deployment"]["resources"]
    (found,) = [each for each in resources if each["type"].endswith("certificates:Authority")]
    certificate = found["outputs"]["certificate"]
    key = json.loads(found["outputs"]["private_key"]["plaintext"])
    authority = {"certificate": certificate, "private_key": key}
    right = _issue(authority)
    with patch.object(certificates, "dt", _clock(dt.datetime.now(dt.UTC) - dt.timedelta(_DAYS))):
        expired = _issue(authority)
    return {
        "right": right,
        "of another cluster": _issue(_authority("another authority")),
        "of another cluster of this name": _issue(_authority(f"{stack} authority")),
        "expired": expired,
        "without a certificate": {"ca": certificate},
        "old TLS": {**right, "most": "TLSv1_2"},
        "plain tcp": None,
    }


def _authority(name: str) -> dict[str, Any]:
    return certificates._AuthorityProvider().issue({"common_name": name})


def _issue(authority: Mapping[str, Any]) -> dict[str, str]:
    """Return what a client has whose certificate an authority has issued."""
    made = certificates._CertificateProvider().issue(
        {
            "role": "client",
            "common_name": "dev client",
            "authority_certificate": authority["certificate"],
            "authority_key": authority["private_key"],
        }
    )
    ours = {"certificate": made["certificate"], "key": made["private_key"]}
    return {"ca": authority["certificate"], **ours}


def _clock(now: dt.datetime) -> SimpleNamespace:
    """Return the part of `datetime` that certificates are made with, at another time."""
    clock = SimpleNamespace(now=lambda _zone: now)
    return SimpleNamespace(UTC=dt.UTC, timedelta=dt.timedelta, datetime=clock)
