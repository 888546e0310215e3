"""What a new Kubernetes has in it before anybody uses it: rights, metrics, and storage."""

from __future__ import annotations

import base64
import os
import shutil
from typing import TYPE_CHECKING, Any, Final

from sandbox.kubernetes.places import METRICS_PORT, Addresses, Place

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.kubernetes.api import Api

VOLUMES: Final = 8
STORAGE_CLASS: Final = "standard"
_VOLUMES: Final = "/api/v1/persistentvolumes"
_VOLUME_SIZE: Final = "100Gi"
_METRICS: Final = "metrics-server"
_SYSTEM: Final = "kube-system"
_RBAC: Final = "rbac.authorization.k8s.io"
# Who runs pods in a namespace of the strictest rules has this number.
_USER: Final = 1000


def create(api: Api, place: Place, addresses: Addresses) -> None:
    """Make all of them; the Kubernetes is new."""
    authority = place.certificates / "authority.pem"
    volumes = [_volume(place, number) for number in range(VOLUMES)]
    for each in [*_rights(), *_metrics(addresses, authority), _storage_class(), *volumes]:
        api.create(_path(each), each)


def renew_volumes(api: Api, folder: Path) -> None:
    """Give back the volumes whose claims have gone, empty.

    Args:
        api: Of the Kubernetes.
        folder: What `make_folders` has made.
    """
    for volume in api.items(_VOLUMES):
        if volume["status"].get("phase") == "Released":
            name = volume["metadata"]["name"]
            _empty(folder / name)
            api.merge(f"{_VOLUMES}/{name}", {"spec": {"claimRef": None}})


def make_folders(folder: Path) -> None:
    """Make the folders of the volumes, empty."""
    for number in range(VOLUMES):
        _empty(folder / _volume_name(number))


def _path(each: dict[str, Any]) -> str:
    """Return the path of all objects of the kind of one."""
    version, namespace = each["apiVersion"], each["metadata"].get("namespace")
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{namespace}" if namespace else ""
    kind = each["kind"].lower()
    return f"{base}{inside}/{kind}{'es' if kind.endswith('s') else 's'}"


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # A volume of this kind is not given to the pod's group, as one of a cloud is.
    os.chown(folder, _USER, _USER)


def _volume_name(number: int) -> str:
    return f"volume-{number}"


def _storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _volume(place: Place, number: int) -> dict[str, Any]:
    name = _volume_name(number)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": _VOLUME_SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "hostPath": {"path": str(place.state / "volumes" / name), "type": "Directory"},
        },
    }


def _rights() -> list[dict[str, Any]]:
    dns = {
        "": ["endpoints", "services", "pods", "namespaces"],
        "discovery.k8s.io": ["endpointslices"],
    }
    metrics = {"": ["nodes", "pods", "namespaces", "configmaps", "nodes/metrics"]}
    return [
        *_role("system:coredns", dns),
        *_role(f"system:{_METRICS}", metrics),
        _binding("system:auth-delegator", f"system:{_METRICS}"),
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"{_METRICS}-auth-reader", "namespace": _SYSTEM},
            "roleRef": {
                "apiGroup": _RBAC,
                "kind": "Role",
                "name": "extension-apiserver-authentication-reader",
            },
            "subjects": [_user(f"system:{_METRICS}")],
        },
    ]


def _role(user: str, resources: dict[str, list[str]]) -> list[dict[str, Any]]:
    role = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": user},
        "rules": [
            {"apiGroups": [group], "resources": names, "verbs": ["get", "list", "watch"]}
            for group, names in resources.items()
        ],
    }
    return [role, _binding(user, user)]


def _binding(role: str, user: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{user}:{role}"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [_user(user)],
    }


def _user(name: str) -> dict[str, str]:
    return {"apiGroup": _RBAC, "kind": "User", "name": name}


def _metrics(addresses: Addresses, authority: Path) -> list[dict[str, Any]]:
    """Return the API of metrics, which a process of the box serves."""
    metadata = {"name": _METRICS, "namespace": _SYSTEM}
    port = {"name": "https", "port": METRICS_PORT}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"ports": [{"name": "https", "port": 443, "targetPort": METRICS_PORT}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": _METRICS}},
            "addressType": "IPv4",
            "ports": [port],
            "endpoints": [{"addresses": [str(addresses.control)], "conditions": {"ready": True}}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "service": {"name": _METRICS, "namespace": _SYSTEM, "port": 443},
                "caBundle": base64.b64encode(authority.read_bytes()).decode(),
            },
        },
    ]
