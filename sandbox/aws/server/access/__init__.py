"""What hosts may do: each of their calls is weighed against the policies of their role.

`keys` are the instances' credentials, `requests` says which rights a call needs, `evaluate`
whether policies grant them.
"""

import logging
from typing import Final
from urllib.parse import parse_qs

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.exceptions import NotFoundException
from moto.iam.models import Role, iam_backends
from moto.utilities.utils import get_partition

from sandbox.aws.server.access import keys, objects, refusals, requests
from sandbox.aws.server.access.asked import Asked, parameters
from sandbox.aws.server.access.evaluate import (
    Decision,
    Need,
    UnknownPolicyError,
    Value,
    decide,
    weigh,
)
from sandbox.aws.server.calls import Call, Environ
from sandbox.aws.server.errors import Answer

_LOG: Final = logging.getLogger(__name__)

HOST: Final = "sandbox.instance"
"""The key of a request's environment that names the instance from which it came."""


def check(call: Call, environ: Environ) -> Answer | None:
    """Weigh a call of a host; the caller holds the lock.

    Args:
        call: The call.
        environ: The WSGI request with its body read; `HOST` names the instance that sent it.

    Returns:
        None if its role may make the call, else AWS's refusal.
    """
    try:
        return _check(call, environ)
    except UnknownPolicyError as error:
        _LOG.error("%s:%s cannot be decided: %s", call.service, call.operation, error)
        return refusals.failed(call, environ, f"the AWS of the rehearsal does not know {error}")
    except Exception:  # noqa: BLE001  (whatever it is: the log has it)
        _LOG.exception("the rights for %s:%s", call.service, call.operation)
        return refusals.failed(call, environ, "the AWS of the rehearsal failed: see its log")


def _check(call: Call, environ: Environ) -> Answer | None:
    access_key, region, token = _signature(environ)
    if not access_key:
        return refusals.unsigned(call, environ)
    holder = keys.holder(access_key, token)
    if holder is None or holder.instance != environ[HOST]:
        return refusals.invalid(call, environ)
    partition = str(get_partition(region))
    who = f"arn:{partition}:sts::{DEFAULT_ACCOUNT_ID}:assumed-role/{holder.role}/{holder.instance}"
    rule = requests.needs(call.service, call.operation)
    if rule is None:
        return refusals.unknown(call, environ, who)
    try:
        role = iam_backends[DEFAULT_ACCOUNT_ID][partition].get_role(holder.role)
    except NotFoundException:
        # Hosts may still drain while a destroy is about to end: keys of a role go with it.
        return refusals.invalid(call, environ)
    of_every_request: dict[str, Value] = {
        # What comes over the bridge stands for what comes by TLS on AWS.
        "aws:securetransport": "true",
        "aws:userid": f"{role.id}:{holder.instance}",
        # A role's session has none.
        "aws:username": None,
    }
    asked = Asked(call, region, parameters(call, environ), of_every_request)
    for need in rule(asked):
        of_role = weigh(decide(text, need) for text in _policies(role))
        of_resource = _of_bucket(asked, need)
        if weigh((of_role, of_resource)) != "Allow":
            return refusals.denied(call, environ, who, need, (of_role, of_resource))
    return None


def _policies(role: Role) -> list[str]:
    """Return the texts of a role's policies: its own and those that are attached."""
    if role.permissions_boundary_arn:
        raise UnknownPolicyError(f"permissions boundaries, and the role {role.name} has one")
    attached = [
        version.document
        for policy in role.managed_policies.values()
        for version in policy.versions
        if version.is_default
    ]
    return [*role.policies.values(), *attached]


def _of_bucket(asked: Asked, need: Need) -> Decision | None:
    """Weigh the only policies of resources that stacks write for what hosts call."""
    if asked.call.service != "s3":
        return None
    found = objects.bucket(asked.account, asked.partition, objects.bucket_of(need.resource))
    if found is None or not found.policy:
        return None
    return decide(found.policy.decode(), need, of_resource=True)


def _signature(environ: Environ) -> tuple[str, str, str]:
    """Return access key, region and session token of a request, empty where it has none."""
    query = parse_qs(str(environ.get("QUERY_STRING", "")))
    header = str(environ.get("HTTP_AUTHORIZATION", ""))
    token = str(environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""))
    if "Credential=" in header:
        scope = header.split("Credential=")[1].split(",", maxsplit=1)[0]
    else:
        scope = query.get("X-Amz-Credential", [""])[0]
        token = token or query.get("X-Amz-Security-Token", [""])[0]
    access_key, _, rest = scope.partition("/")
    return access_key, rest.split("/")[1] if rest.count("/") > 1 else "", token
