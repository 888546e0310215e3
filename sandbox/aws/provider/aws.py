"""Calls of AWS's API, to this machine and nowhere else."""

import os
import threading
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from engine.values import Properties
from sandbox.aws.provider.errors import ApiError
from sandbox.provider_protocol import ProviderError

_HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_GLOBAL_VARIABLE: Final = "AWS_ENDPOINT_URL"
_ATTEMPTS: Final = 4
_SECONDS: Final = 60


def endpoints(configured: list[Mapping[str, Any]]) -> None:
    """Refuse every endpoint that is not on this machine, and the absence of one.

    Args:
        configured: The provider's own `endpoints`.

    Raises:
        ProviderError: An address is missing or leads elsewhere.
    """
    named = {k: v for k, v in os.environ.items() if k.startswith(_GLOBAL_VARIABLE) and v}
    if not named.get(_GLOBAL_VARIABLE):
        raise ProviderError(
            f"{_GLOBAL_VARIABLE} is not set: this plugin is for rehearsals and only works against "
            "an AWS on this machine (http://127.0.0.1:PORT)"
        )
    for entry in configured:
        named |= {f"endpoints.{service}": str(url) for service, url in entry.items() if url}
    for name, url in named.items():
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in _HERE:
            raise ProviderError(
                f"{name} is {url!r}, which is not on this machine: this plugin is for rehearsals "
                "and only works against http://127.0.0.1:PORT"
            )


def endpoint(service: str) -> str:
    """Where a service is: its own variable, or the one for all."""
    own = f"{_GLOBAL_VARIABLE}_{service.upper().replace('-', '_')}"
    return os.environ.get(own) or os.environ[_GLOBAL_VARIABLE]


class Aws:
    """Clients of one provider configuration, one for each service and region."""

    def __init__(self, region: str, settings: Properties) -> None:
        """Keep what a client needs; nothing is called yet."""
        self.region = region
        self.default_tags = dict((settings.get("defaultTags") or {}).get("tags") or {})
        self._urls = {k: v for e in settings.get("endpoints") or [] for k, v in e.items() if v}
        self._keys = {
            "aws_access_key_id": settings.get("accessKey"),
            "aws_secret_access_key": settings.get("secretKey"),
            "aws_session_token": settings.get("token"),
            "profile_name": settings.get("profile"),
        }
        self._clients: dict[tuple[str, str], Any] = {}
        self._mutex = threading.Lock()
        self._asking = threading.Lock()
        self._account = ""

    def client(self, service: str, region: str = "") -> Any:  # noqa: ANN401 - botocore has no types
        """A client, made once; clients may be used by several threads, making one may not."""
        key = (service, region or self.region)
        with self._mutex:
            if key not in self._clients:
                session = boto3.Session(region_name=key[1], **self._keys)
                self._clients[key] = session.client(
                    service,
                    # Said here and not left to boto3, which an environment variable can tell to
                    # ignore all others.
                    endpoint_url=self._urls.get(service) or endpoint(service),
                    config=Config(
                        proxies={},
                        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                        s3={"addressing_style": "path"},
                        connect_timeout=5,
                        read_timeout=_SECONDS,
                        inject_host_prefix=False,
                        max_pool_connections=32,
                    ),
                )
            return self._clients[key]

    def call(self, service: str, operation: str, region: str = "", **params: Any) -> Properties:  # noqa: ANN401
        """Make one call.

        Raises:
            ApiError: AWS refused it.
            ProviderError: botocore did not send it, or got no answer.
        """
        client = self.client(service, region)
        api = client.meta.method_to_api_mapping.get(operation, operation)
        try:
            answer: Properties = getattr(client, operation)(**params)
        except ClientError as error:
            said = error.response.get("Error", {})
            raise ApiError(api, said.get("Code", "?"), said.get("Message", "")) from error
        except BotoCoreError as error:
            raise ProviderError(f"{api}: {error}") from error
        return answer

    def pages(self, service: str, operation: str, key: str, region: str = "", **params: Any) -> Any:  # noqa: ANN401
        """All items of a paginated call."""
        try:
            pages = self.client(service, region).get_paginator(operation).paginate(**params)
            return [item for page in pages for item in page.get(key) or []]
        except ClientError as error:
            said = error.response.get("Error", {})
            raise ApiError(operation, said.get("Code", "?"), said.get("Message", "")) from error
        except BotoCoreError as error:
            raise ProviderError(f"{operation}: {error}") from error

    @property
    def account(self) -> str:
        """The account that the credentials belong to."""
        with self._asking:  # once, however many threads want to know
            if not self._account:
                self._account = str(self.call("sts", "get_caller_identity")["Account"])
            return self._account

    @property
    def partition(self) -> str:
        """The partition of the region."""
        return str(boto3.Session().get_partition_for_region(self.region))
