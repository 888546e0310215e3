"""Calls of our own Kubernetes, by what it was started with."""

from __future__ import annotations

import http
import json
from typing import TYPE_CHECKING, Any, Final

import urllib3
from urllib3.exceptions import HTTPError

from sandbox.kubernetes.errors import KubernetesError

if TYPE_CHECKING:
    from sandbox.kubernetes.places import Place

_SECONDS: Final = 20.0
_REFUSED: Final = 300
_MERGE: Final = "application/merge-patch+json"


class Api:
    """The API server of a place, with all rights."""

    def __init__(self, place: Place) -> None:
        """Read the person's kubeconfig of it; nothing is called yet."""
        config = json.loads(place.kubeconfig.read_text())
        self._server = config["clusters"][0]["cluster"]["server"]
        folder = place.certificates
        self._pool = urllib3.PoolManager(
            ca_certs=str(folder / "authority.pem"),
            cert_file=str(folder / "user-kubeconfig.pem"),
            key_file=str(folder / "user-kubeconfig-key.pem"),
            retries=False,
            timeout=_SECONDS,
        )

    def answers(self) -> bool:
        """Return whether it is ready."""
        try:
            return self._pool.request("GET", f"{self._server}/readyz").status < _REFUSED
        except HTTPError:
            return False

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return the objects at a path, as `/api/v1/nodes`."""
        found: list[dict[str, Any]] = self._call("GET", path)["items"]
        return found

    def create(self, path: str, body: dict[str, Any]) -> None:
        """Make an object among those at a path."""
        self._call("POST", path, body)

    def merge(self, path: str, body: dict[str, Any]) -> None:
        """Change an object."""
        self._call("PATCH", path, body, _MERGE)

    def delete(self, path: str) -> None:
        """Delete an object; one that is gone is fine."""
        self._call("DELETE", path, fine=http.HTTPStatus.NOT_FOUND)

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        content: str = "application/json",
        fine: int | None = None,
    ) -> dict[str, Any]:
        try:
            response = self._pool.request(
                method,
                f"{self._server}{path}",
                body=None if body is None else json.dumps(body),
                headers={"Content-Type": content},
            )
        except HTTPError as error:
            raise KubernetesError(f"the Kubernetes of this machine: {error}") from error
        if response.status >= _REFUSED and response.status != fine:
            said = response.data.decode(errors="replace")
            raise KubernetesError(f"the Kubernetes of this machine refuses {method} {path}: {said}")
        answer: dict[str, Any] = response.json()
        return answer
