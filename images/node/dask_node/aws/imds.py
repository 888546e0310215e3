"""The instance's metadata (IMDSv2)."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from http.client import HTTPException
from time import monotonic

# botocore's own variable; on an instance it is not set.
ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
ENDPOINT = "http://169.254.169.254"
TOKEN_SECONDS = 3600
ANSWER_SECONDS = 2
NOT_FOUND, UNAUTHORIZED = 404, 401

# The service is on the host; a proxy of the environment is not for it.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Metadata:
    """Reads items; a token is fetched when one is needed."""

    def __init__(self) -> None:
        self._base = os.environ.get(ENDPOINT_VARIABLE, ENDPOINT).rstrip("/") + "/latest"
        self._token = ""
        self._fetch_after = 0.0

    def read(self, path: str) -> str | None:
        """Return an item below `meta-data/`, or None if there is none.

        Raises:
            OSError: The service does not answer as it should.
        """
        try:
            return self._read(path)
        except urllib.error.HTTPError as error:
            if error.code == NOT_FOUND:
                return None
            if error.code == UNAUTHORIZED:
                self._token = ""  # the next read fetches another
            raise
        except HTTPException as error:
            raise OSError(f"The metadata service does not answer: {error!r}") from error

    def _read(self, path: str) -> str:
        if not self._token or monotonic() >= self._fetch_after:
            lasts = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
            self._token = self._ask("/api/token", lasts, "PUT")
            self._fetch_after = monotonic() + TOKEN_SECONDS / 2
        return self._ask(f"/meta-data/{path}", {"X-aws-ec2-metadata-token": self._token}, "GET")

    def _ask(self, path: str, headers: dict[str, str], method: str) -> str:
        request = urllib.request.Request(self._base + path, headers=headers, method=method)  # noqa: S310
        with _DIRECT.open(request, timeout=ANSWER_SECONDS) as answer:
            text: str = answer.read().decode()
        return text
