"""The instance metadata service (IMDS): tokens and answers, without any network.

What there is to ask for: `metadata_items`. A caller is known by its address alone, as on AWS.
"""

import hashlib
import hmac
import re
import secrets
import struct
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from sandbox.aws.server.world import WORLD
from sandbox.hosts import instances
from sandbox.hosts.instances import Instance
from sandbox.hosts.metadata_items import Issue, Seen, find
from sandbox.hosts.notices import Notices

# Seconds.
LONGEST_TOKEN: Final = 21_600
TTL_HEADER: Final = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER: Final = "x-aws-ec2-metadata-token"  # noqa: S105  (the name of a header)
_FORWARDED: Final = "x-forwarded-for"

# fmt: off
VERSIONS: Final = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15",
    "2008-02-01", "2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12",
    "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02",
    "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03",
    "2021-03-23", "2021-07-15", "2022-07-09", "2022-09-24", "2024-04-11", "latest",
)
# fmt: on


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        status: Of HTTP.
        body: What it says.
        kind: Its content type.
        headers: More headers.
        hops: The limit of hops that its packets take; None for the usual one.
    """

    status: int
    body: bytes = b""
    kind: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()
    hops: int | None = None


class Metadata:
    """Answers whoever asks."""

    def __init__(
        self,
        issue: Issue,
        notices: Notices,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a service for every instance.

        Args:
            issue: Makes credentials.
            notices: What EC2 has announced.
            clock: Seconds, for the life of tokens.
        """
        self._issue = issue
        self._notices = notices
        self._tokens = _Tokens(clock)

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], address: str, vpc: str = ""
    ) -> Reply:
        """Answer one request.

        Args:
            method: Of HTTP.
            path: Of the URL, as it came.
            headers: By their names in lower case.
            address: Where it came from.
            vpc: The VPC that it came from; empty for whichever has the address.

        Returns:
            The answer.
        """
        with WORLD.clock.lock:
            instance = instances.by_address(address, vpc)
            if instance is None:
                return _error(HTTPStatus.NOT_FOUND)
            if not instance.metadata_enabled:
                return _error(HTTPStatus.FORBIDDEN)
            parts = unquote(path.partition("?")[0]).lstrip("/").split("/")
            if method == "PUT":
                return self._token(instance, parts, headers)
            if method not in {"GET", "HEAD"}:
                return _error(HTTPStatus.METHOD_NOT_ALLOWED)
            # A wrong token is wrong also where none is needed.
            token = headers.get(TOKEN_HEADER)
            if not self._may_read(instance, token):
                return _error(HTTPStatus.UNAUTHORIZED)
            return self._read(instance, parts)

    def _token(self, instance: Instance, parts: list[str], headers: Mapping[str, str]) -> Reply:
        if parts != ["latest", "api", "token"]:
            return _error(HTTPStatus.METHOD_NOT_ALLOWED)
        if _FORWARDED in headers:
            # It came through a proxy, which may be an open one.
            return _error(HTTPStatus.FORBIDDEN)
        given = headers.get(TTL_HEADER, "")
        if not re.fullmatch(r"[0-9]{1,5}", given) or not 1 <= int(given) <= LONGEST_TOKEN:
            return _error(HTTPStatus.BAD_REQUEST)
        token = self._tokens.make(instance.id, int(given))
        # Packets with few hops do not leave the host for a container of its own.
        return Reply(200, token.encode(), headers=((TTL_HEADER, given),), hops=instance.hop_limit)

    def _may_read(self, instance: Instance, token: str | None) -> bool:
        if token is None:
            return not instance.tokens_required
        return self._tokens.holds(instance.id, token)

    def _read(self, instance: Instance, parts: list[str]) -> Reply:
        if parts == [""]:
            return Reply(200, "\n".join(VERSIONS).encode())
        if parts[0] not in VERSIONS:
            return _error(HTTPStatus.NOT_FOUND)
        spot, rebalance = self._notices.of(instance.id)
        seen = Seen(
            instance=instance,
            target=instances.target_state(instance.id),
            spot=spot,
            rebalance=rebalance,
            credentials=lambda: self._issue(instance.id, instance.role),
        )
        found = find("/".join(parts[1:]).strip("/"), seen)
        if found is None:
            return _error(HTTPStatus.NOT_FOUND)
        if isinstance(found, bytes):
            return Reply(200, found, kind="application/octet-stream")
        return Reply(200, found.encode())


class _Tokens:
    """Tokens that say themselves for whom and until when; nothing is kept of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._key = secrets.token_bytes(32)
        self._clock = clock

    def make(self, instance: str, seconds: int) -> str:
        """Return a token of an instance for some seconds."""
        content = struct.pack(">d", self._clock() + seconds) + secrets.token_bytes(8)
        return urlsafe_b64encode(content + self._sign(instance, content)).decode()

    def holds(self, instance: str, token: str) -> bool:
        """Tell whether a token is of an instance and not over."""
        try:
            raw = urlsafe_b64decode(token.encode())
        except ValueError:
            return False
        content, signature = raw[:16], raw[16:]
        if not hmac.compare_digest(signature, self._sign(instance, content)):
            return False
        (until,) = struct.unpack_from(">d", content)
        return bool(self._clock() < until)

    def _sign(self, instance: str, content: bytes) -> bytes:
        return hmac.digest(self._key, instance.encode() + content, hashlib.sha256)


def _error(status: HTTPStatus) -> Reply:
    body = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        f"<html><head><title>{status.value} - {status.phrase}</title></head>"
        f"<body><h1>{status.value} - {status.phrase}</h1></body></html>\n"
    )
    return Reply(status.value, body.encode(), kind="text/html")
