"""How the commands talk to Kubernetes: by a context of the person's own kubeconfig."""

from __future__ import annotations

import contextlib
import http
import json
import os
from typing import TYPE_CHECKING, Any

from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Of a list: a page, so that a thousand pods are no single answer of tens of megabytes.
PAGE = 500
SECONDS = 20
# A command in a pod: a container at its limit of CPU takes long to start Python.
COMMAND_SECONDS = 90
PART_OF = "dask-cluster"


def labels_of(cluster: str) -> str:
    """Return the selector of everything that belongs to a cluster."""
    return f"app.kubernetes.io/part-of={PART_OF},app.kubernetes.io/instance={cluster}"


class KubeError(CommandError):
    """The API server refused a call, or cannot be reached.

    Attributes:
        status: The HTTP status; 0 if there was no answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def missing(self) -> bool:
        """Whether there is no such thing."""
        return self.status == http.HTTPStatus.NOT_FOUND


class Api:
    """One API server.

    Attributes:
        context: The context that leads there.
    """

    def __init__(self, context: str) -> None:
        """Read the credentials; nothing is called yet.

        Raises:
            CommandError: There is no such context, or no kubeconfig.
        """
        # Half a second, which nobody else waits for.
        from kubernetes import config  # noqa: PLC0415

        connect: Any = config.new_client_from_config

        self.context = context
        # The variable is read once by the package, when it is imported.
        file = os.environ.get("KUBECONFIG") or None
        try:
            self._client = connect(file, context=context, persist_config=False)
        except config.ConfigException as error:
            raise KubeError(
                f"context `{context}` of {file or '~/.kube/config'}: {error}. The stack file "
                "names it; `kubectl config get-contexts` lists those that there are."
            ) from error

    def get(self, what: str, path: str, **query: object) -> dict[str, Any]:
        """Return an object.

        Args:
            what: What the call is for, such as ``reading the certificate``.
            path: Its path.
            query: Parameters.

        Raises:
            KubeError: The call failed.
        """
        found: dict[str, Any] = json.loads(self._call(what, "GET", path, query))
        return found

    def items(self, what: str, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """Yield the objects of a list, over all its pages; arguments as of `get`."""
        more: dict[str, object] = {"limit": PAGE}
        while more:
            page = self.get(what, path, **query, **more)
            yield from page["items"]
            token = page["metadata"].get("continue")
            more = {"limit": PAGE, "continue": token} if token else {}

    def pods(self, what: str, namespace: str, selector: str) -> Iterator[Any]:
        """Yield the pods that bear some labels, each a V1Pod of the package, over all pages.

        Raises:
            KubeError: The call failed.
        """
        from kubernetes.client import CoreV1Api  # noqa: PLC0415

        listing: Any = CoreV1Api(self._client).list_namespaced_pod
        query: dict[str, Any] = {"label_selector": selector, "limit": PAGE}
        while True:
            with self._calling(what):
                page = listing(namespace, **query, _request_timeout=SECONDS)
            yield from page.items
            query["_continue"] = page.metadata._continue  # noqa: SLF001  # its name for `continue`
            if not query["_continue"]:
                return

    def text(self, what: str, path: str, **query: object) -> str:
        """Return what is no object, such as a log; arguments as of `get`."""
        return self._call(what, "GET", path, query).decode(errors="replace")

    def delete(self, what: str, path: str) -> None:
        """Ask for the end of an object, and of what it owns; it may take its time.

        Raises:
            KubeError: The call failed.
        """
        self._call(what, "DELETE", path, {"propagationPolicy": "Background"})

    def execute(self, what: str, namespace: str, pod: str, words: Sequence[str]) -> str:
        """Run a command in the first container of a pod; return what it prints.

        Raises:
            KubeError: The call failed.
        """
        from kubernetes.client import CoreV1Api  # noqa: PLC0415
        from kubernetes.stream import stream  # noqa: PLC0415

        with self._calling(what):
            running = stream(
                CoreV1Api(self._client).connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=list(words),
                stdout=True,
                stderr=True,
                _preload_content=False,
                _request_timeout=SECONDS,
            )
            running.run_forever(timeout=COMMAND_SECONDS)
            printed, errors = running.read_stdout(timeout=0), running.read_stderr(timeout=0)
            running.close()
        if not printed:
            raise KubeError(f"Kubernetes, {what}: {errors.strip() or 'it said nothing'}")
        return str(printed)

    def _call(self, what: str, method: str, path: str, query: Mapping[str, object]) -> bytes:
        request = self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json, */*"},
            auth_settings=["BearerToken"],
        )
        with self._calling(what):
            response = self._client.call_api(*request, _request_timeout=SECONDS)
            data: bytes = response.read()
        if response.status >= http.HTTPStatus.MULTIPLE_CHOICES:
            raise KubeError(f"Kubernetes, {what}: {_said(data, response.status)}", response.status)
        return data

    @contextlib.contextmanager
    def _calling(self, what: str) -> Iterator[None]:
        """Turn what the package raises into an error for the person at the keyboard."""
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415
        from websocket import WebSocketException  # noqa: PLC0415

        try:
            yield
        except ApiException as error:
            # Of a command in a pod the answer is that of a WebSocket, behind the error.
            handshake = error.__context__
            status = getattr(handshake, "status_code", 0) or error.status or 0
            body = getattr(handshake, "resp_body", None) or error.body
            said = _said(body, status) if body else str(error.reason)
            raise KubeError(f"Kubernetes, {what}: {said}", status) from error
        except (HTTPError, WebSocketException, OSError) as error:
            raise KubeError(
                f"Kubernetes, {what}: the API server of context `{self.context}` does not "
                f"answer: {error}"
            ) from error


def _said(data: bytes | str, status: int) -> str:
    try:
        message = json.loads(data)["message"]
    except (ValueError, KeyError, TypeError):
        message = (data if isinstance(data, str) else data.decode(errors="replace"))[:500]
    return str(message) or f"the API server answered {status}"
