"""The API server of Kubernetes, asked from a pod with the rights of its service account."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONNECT_SECONDS, ANSWER_SECONDS = 5, 10
# Of one answer: what is parsed at once holds up the scheduler, which is the same process.
PAGE = 500
NOT_FOUND, CONFLICT = 404, 409

COST = "controller.kubernetes.io/pod-deletion-cost"

# The models of the client cost 40 times what the JSON does, so only the JSON is read.
_CALL: dict[str, Any] = {
    "_preload_content": False,
    "_request_timeout": (CONNECT_SECONDS, ANSWER_SECONDS),
}
_MERGE = {"_content_type": "application/merge-patch+json"}


class Api:
    """What the fleet asks of the API server; objects are as the server writes them.

    Every call raises `OSError` if the server cannot be reached, or refuses.

    Args:
        namespace: Where all of it is.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        configuration = client.Configuration()
        # Nothing waits long for a call that is made again soon anyway. Once more, as a connection
        # that was kept may have been closed; urllib3 does so only where it does no harm.
        configuration.retries = 1
        with calling("reading the service account"):
            # The token changes within the hour; it is read again each minute.
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        calls = client.ApiClient(configuration)
        self._apps, self._core = client.AppsV1Api(calls), client.CoreV1Api(calls)

    def deployments(self, selector: str) -> list[dict[str, Any]]:
        """Return the Deployments with these labels."""
        return self._list("looking at the Deployments", "deployment", self._apps, selector)

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """Return the pods with these labels, but for those that have ended and were replaced."""
        alive = {"field_selector": "status.phase!=Failed,status.phase!=Succeeded"}
        return self._list("looking at the pods", "pod", self._core, selector, **alive)

    def replicas(self, deployment: str) -> tuple[int, str]:
        """Return how many pods a Deployment is to have, and the version of this answer."""
        with calling(f"looking at the size of {deployment}"):
            found = _read(
                self._apps.read_namespaced_deployment_scale(deployment, self.namespace, **_CALL)
            )
        # A 0 is not written (autoscaling/v1, ScaleSpec).
        return found["spec"].get("replicas", 0), found["metadata"]["resourceVersion"]

    def set_replicas(self, deployment: str, number: int, version: str) -> bool:
        """Let a Deployment have so many pods; return False if it is no longer of that version."""
        body = {"metadata": {"resourceVersion": version}, "spec": {"replicas": number}}
        return self._patch(
            f"asking for {number} pods of {deployment}",
            self._apps.patch_namespaced_deployment_scale,
            (deployment, body),
            otherwise=CONFLICT,
        )

    def set_cost(self, pod: str, cost: str | None) -> bool:
        """Say how early a pod goes when its group shrinks; return False if it is gone already.

        Args:
            pod: Its name.
            cost: Pods with a lower number go first; None: take back what was said.
        """
        return self._patch(
            f"marking {pod}",
            self._core.patch_namespaced_pod,
            (pod, {"metadata": {"annotations": {COST: cost}}}),
            otherwise=NOT_FOUND,
        )

    def _list(
        self,
        what: str,
        kind: str,
        api: Any,  # noqa: ANN401  # two classes with methods of like names
        selector: str,
        **more: str,
    ) -> list[dict[str, Any]]:
        ask = getattr(api, f"list_namespaced_{kind}")
        found: list[dict[str, Any]] = []
        following = None
        while True:
            with calling(what):
                page = _read(
                    ask(
                        self.namespace,
                        label_selector=selector,
                        limit=PAGE,
                        _continue=following,
                        **more,
                        **_CALL,
                    )
                )
            found += page["items"]
            following = page["metadata"].get("continue")
            if not following:
                return found

    def _patch(
        self, what: str, patch: Callable[..., Any], about: tuple[str, Any], *, otherwise: int
    ) -> bool:
        """Return whether it was done; False if the server answers `otherwise`."""
        name, body = about
        with calling(what):
            try:
                _read(patch(name, self.namespace, body, **_MERGE, **_CALL))
            except ApiException as error:
                if error.status != otherwise:
                    raise
                return False
        return True


@contextmanager
def calling(what: str) -> Iterator[None]:
    """Ask the API server.

    Args:
        what: What for, for people.

    Raises:
        OSError: It cannot be reached, or refuses.
    """
    try:
        yield
    except ApiException as error:
        raise OSError(f"Kubernetes: {what}: {_said(error)}") from error
    except (HTTPError, config.ConfigException, json.JSONDecodeError) as error:
        raise OSError(f"Kubernetes: {what}: {error}") from error


def _read(answer: Any) -> dict[str, Any]:  # noqa: ANN401  # a response of urllib3's
    found: dict[str, Any] = json.loads(answer.data)
    return found


def _said(error: ApiException) -> str:
    """Return the server's own sentence, without headers and JSON."""
    try:
        return f"{error.status}: {json.loads(error.body or '')['message']}"
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"
