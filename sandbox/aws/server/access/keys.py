"""Keys of instances: the ones that their metadata hands out, and whose a key is.

They are sessions of moto's STS, so that GetCallerIdentity knows who asks, and a reset of the
account ends them.
"""

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sts.models import AssumedRole, STSBackend, sts_backends
from moto.utilities.utils import get_partition

from sandbox.aws.server.world import WORLD

# As EC2 does: keys live for six hours, and there are new ones before clients ask for them (the
# SDKs want others 15 minutes before the end).
LIFE: Final = timedelta(hours=6)
RENEWED_BEFORE_END: Final = timedelta(minutes=30)
# Marks our sessions among those that callers of AssumeRole have made.
_MARK: Final = "sandbox: an instance's own"


@dataclass(frozen=True)
class Credentials:
    """Temporary keys of an instance.

    Attributes:
        access_key: The access key's id, ``ASIA...``.
        secret: The secret access key.
        token: The session token.
        issued: Since when they are good.
        expires: Until when.
    """

    access_key: str
    secret: str
    token: str
    issued: datetime
    expires: datetime


@dataclass(frozen=True)
class Holder:
    """Who has a key: an instance, in the name of its role."""

    instance: str
    role: str


def issue(instance: str, role: str, region: str = "us-east-1") -> Credentials:
    """Return an instance's keys: the same until shortly before they end.

    Args:
        instance: Its id.
        role: The role of its instance profile, by name or ARN.
        region: Where it is.
    """
    partition = get_partition(region)
    arn = role if ":" in role else f"arn:{partition}:iam::{DEFAULT_ACCOUNT_ID}:role/{role}"
    now = _now()
    with WORLD.clock.lock:
        _drop(lambda one: _expires(one) <= now)
        known = [
            one for _, one in _sessions() if (one.session_name, one.role_arn) == (instance, arn)
        ]
        if known and _expires(known[-1]) - now > RENEWED_BEFORE_END:
            return _shown(known[-1])
        return _shown(
            sts_backends[DEFAULT_ACCOUNT_ID][partition].assume_role(
                region_name=region,
                role_session_name=instance,
                role_arn=arn,
                policy="",
                duration=int(LIFE.total_seconds()),
                external_id=_MARK,
            )
        )


def holder(access_key: str, token: str) -> Holder | None:
    """Return whose these keys are; None if nobody's, or if they have ended."""
    with WORLD.clock.lock:
        for _, one in _sessions():
            if one.access_key_id == access_key and _expires(one) > _now():
                # As the signature, which is not looked at, would be compared.
                good = hmac.compare_digest(one.session_token.encode(), token.encode())
                return Holder(one.session_name, _name(one.role_arn)) if good else None
    return None


def forget(instance: str) -> None:
    """End the keys of an instance that is gone."""
    with WORLD.clock.lock:
        _drop(lambda one: one.session_name == instance)


def _sessions() -> Iterator[tuple[STSBackend, AssumedRole]]:
    for backend in sts_backends[DEFAULT_ACCOUNT_ID].values():
        for one in backend.assumed_roles:
            if one.external_id == _MARK:
                yield backend, one


def _drop(ended: Callable[[AssumedRole], bool]) -> None:
    for backend, one in list(_sessions()):
        if ended(one):
            backend.assumed_roles.remove(one)


def _shown(session: AssumedRole) -> Credentials:
    expires = _expires(session)
    return Credentials(
        session.access_key_id,
        session.secret_access_key,
        session.session_token,
        expires - LIFE,
        expires,
    )


def _expires(session: AssumedRole) -> datetime:
    ends: datetime = session.expiration
    return ends.replace(tzinfo=UTC)


def _name(role: str) -> str:
    return role.rpartition("/")[2]


def _now() -> datetime:
    return datetime.now(UTC)
