"""Calls of the API server."""

import http
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException

from engine.values import Properties
from sandbox.kubernetes.provider.objects import at
from sandbox.kubernetes.provider.settings import Target
from sandbox.kubernetes.provider.tokens import Kind
from sandbox.provider_protocol import ProviderError

_SECONDS: Final = 60.0
_CONNECTIONS: Final = 32
_JSON: Final = "application/json"
_TYPES: Final = {
    "apply": "application/apply-patch+yaml",
    "json": "application/json-patch+json",
}


class ApiError(ProviderError):
    """The API server refused a call.

    Attributes:
        status: The HTTP status.
        reason: Kubernetes's word for it, such as `AlreadyExists`.
        about: The kind of what is missing, as in an address: `namespaces`.
    """

    def __init__(self, status: int, said: Mapping[str, Any]) -> None:
        """Say what the server said."""
        self.status = status
        self.reason = str(said.get("reason") or "")
        self.about = str(at(said, "details", "kind") or "")
        super().__init__(str(said.get("message") or f"the API server answered {status}"))


@dataclass(frozen=True)
class Resource:
    """How a kind is addressed.

    Attributes:
        path: Of its group and version.
        plural: Its name in addresses.
        namespaced: Whether its objects are in namespaces.
    """

    path: str
    plural: str
    namespaced: bool

    def address(self, namespace: str, name: str = "") -> str:
        """The path of an object, or of all objects in a namespace."""
        inside = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{self.path}{inside}/{self.plural}" + (f"/{name}" if name else "")


class Api:
    """The API server of a target."""

    def __init__(self, target: Target) -> None:
        """Take the credentials; nothing is called yet.

        Raises:
            ProviderError: They cannot be read.
        """
        self._server = target.server
        configuration = Configuration()
        try:
            target.loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        except ConfigException as error:
            raise ProviderError(f"the kubeconfig cannot be used: {error}") from error
        # Nothing may lead elsewhere: no proxy, no redirect.
        configuration.proxy = None
        configuration.retries = urllib3.Retry(connect=2, read=0, redirect=0, backoff_factor=0.2)
        configuration.connection_pool_maxsize = _CONNECTIONS
        self._client = ApiClient(configuration)
        self._resources: dict[Kind, Resource] = {}
        self._mutex = threading.Lock()

    def resource(self, kind: Kind) -> Resource | None:
        """How a kind is addressed; None if the server does not know it."""
        with self._mutex:
            if kind not in self._resources:
                self._discover(kind)
            return self._resources.get(kind)

    def must(self, kind: Kind) -> Resource:
        """How a kind is addressed.

        Raises:
            ProviderError: The server does not know it.
        """
        if (found := self.resource(kind)) is None:
            raise ProviderError(f"{self._server} knows no {kind.kind} of {kind.api_version}")
        return found

    def get(self, kind: Kind, namespace: str, name: str) -> Properties:
        """An object.

        Raises:
            ApiError: It cannot be read; status 404 if there is none.
        """
        return self._call("GET", self.must(kind).address(namespace, name))

    def find(self, kind: Kind, namespace: str, name: str) -> Properties | None:
        """An object; None if there is none."""
        try:
            return self.get(kind, namespace, name)
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise

    def items(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Properties]:
        """The objects in a namespace that have certain labels."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        query = {"labelSelector": selector} if selector else {}
        return list(self._call("GET", self.must(kind).address(namespace), query)["items"])

    def create(self, kind: Kind, obj: Properties, *, manager: str, preview: bool) -> Properties:
        """Make an object, or say what it would look like.

        Raises:
            ApiError: It was not made.
        """
        # A misspelt field is an error here; the real provider only hears of it in an update.
        query = {"fieldManager": manager, "fieldValidation": "Strict"}
        address = self.must(kind).address(str(at(obj, "metadata", "namespace") or ""))
        return self._call("POST", address, query | _dry(preview=preview), obj)

    def patch(
        self,
        way: Literal["apply", "json"],
        kind: Kind,
        where: tuple[str, str],
        body: Any,  # noqa: ANN401
        *,
        manager: str = "",
        force: bool = False,
        preview: bool = False,
    ) -> Properties:
        """Change an object at a namespace and a name.

        Raises:
            ApiError: It was not changed; status 409 if another manager owns a field.
        """
        query = {"fieldManager": manager, "force": str(force).lower()} if way == "apply" else {}
        address = self.must(kind).address(*where)
        return self._call("PATCH", address, query | _dry(preview=preview), body, _TYPES[way])

    def delete(self, kind: Kind, namespace: str, name: str, propagation: str) -> None:
        """Begin to delete an object.

        Raises:
            ApiError: It is not deleted; status 404 if there is none.
        """
        body = {"propagationPolicy": propagation}
        self._call("DELETE", self.must(kind).address(namespace, name), {}, body)

    def _discover(self, kind: Kind) -> None:
        path = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.api_version}"
        try:
            found = self._call("GET", path)
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return
            raise
        for each in found["resources"]:
            if "/" not in each["name"]:
                one = Resource(path, each["name"], bool(each["namespaced"]))
                self._resources[Kind(kind.api_version, each["kind"])] = one

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,  # noqa: ANN401
        content: str = _JSON,
    ) -> Properties:
        request = self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": _JSON, "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = self._client.call_api(*request, _request_timeout=_SECONDS)
            data = response.read()  # type: ignore[no-untyped-call]
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            raise ProviderError(f"{self._server} cannot be reached: {error}") from error
        said = _read(data)
        if response.status >= http.HTTPStatus.MULTIPLE_CHOICES:
            raise ApiError(response.status, said)
        return said


def _read(data: bytes) -> Properties:
    try:
        said = json.loads(data)
    except ValueError:
        said = {"message": data.decode(errors="replace")[:500]}
    return said if isinstance(said, dict) else {}


def _dry(*, preview: bool) -> dict[str, str]:
    return {"dryRun": "All"} if preview else {}
