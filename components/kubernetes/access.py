"""Where a cluster is on Kubernetes, as whom its pods run, and what the scheduler may do there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.rbac import v1 as rbac

from components.kubernetes.names import JUPYTER, SCHEDULER, WHOLE, WORKER, Component, Names

if TYPE_CHECKING:
    from collections.abc import Sequence

# Pods that could harm their node are refused; those of a cluster are not among them.
POD_SECURITY = {"pod-security.kubernetes.io/enforce": "restricted"}
# Beyond the drains of the pods, which the end of a namespace waits for.
TIDYING_SECONDS = 120


class Access(pulumi.ComponentResource):
    """The namespace, a service account for each role, and the rights of the scheduler.

    Only the scheduler's pod gets a token: it moves the number of workers of its own Deployments.

    Attributes:
        ready: What all else depends on.
    """

    ready: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        names: Names,
        own_namespace: bool,
        deployments: Sequence[str],
        jupyter: bool,
        drain_seconds: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create them.

        Args:
            name: Name of the component.
            names: What objects are called.
            own_namespace: Whether the namespace is made, and deleted in the end.
            deployments: Names of the groups' Deployments.
            jupyter: Whether there is a JupyterLab.
            drain_seconds: How long a pod may take to end.
            opts: Resource options.
        """
        super().__init__("dask-cluster:kubernetes:Access", name, None, opts)
        self._names = names
        namespace = [self._create_namespace(drain_seconds)] if own_namespace else []
        self._inside = pulumi.ResourceOptions(parent=self, depends_on=namespace)
        roles = (SCHEDULER, WORKER, JUPYTER) if jupyter else (SCHEDULER, WORKER)
        accounts = [self._create_account(role) for role in roles]
        self.ready = [*namespace, *accounts, *self._create_rights(deployments)]
        self.register_outputs({})

    def _create_namespace(self, drain_seconds: float) -> core.Namespace:
        name = self._names.namespace
        seconds = round(drain_seconds) + TIDYING_SECONDS
        return core.Namespace(
            name,
            metadata=meta.ObjectMetaArgs(
                name=name, labels={**self._names.labels(WHOLE), **POD_SECURITY}
            ),
            opts=pulumi.ResourceOptions(
                parent=self, custom_timeouts=pulumi.CustomTimeouts(delete=f"{seconds}s")
            ),
        )

    def _create_account(self, role: Component) -> core.ServiceAccount:
        return core.ServiceAccount(
            self._names.of(role),
            metadata=self._names.metadata(role, role),
            automount_service_account_token=False,
            opts=self._inside,
        )

    def _create_rights(self, deployments: Sequence[str]) -> list[pulumi.Resource]:
        names = self._names
        name = names.of(SCHEDULER)
        role = rbac.Role(
            name,
            metadata=names.metadata(SCHEDULER, SCHEDULER),
            rules=_rules(deployments),
            opts=self._inside,
        )
        binding = rbac.RoleBinding(
            name,
            metadata=names.metadata(SCHEDULER, SCHEDULER),
            role_ref=rbac.RoleRefArgs(
                api_group="rbac.authorization.k8s.io", kind="Role", name=name
            ),
            subjects=[
                rbac.SubjectArgs(kind="ServiceAccount", name=name, namespace=names.namespace)
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )
        return [role, binding]


def _rules(deployments: Sequence[str]) -> list[rbac.PolicyRuleArgs]:
    """Return what the scaler does: RBAC cannot narrow a list, nor a right to one annotation."""
    return [
        # The numbers of the stack file are annotations of the groups' Deployments.
        rbac.PolicyRuleArgs(api_groups=["apps"], resources=["deployments"], verbs=["get", "list"]),
        rbac.PolicyRuleArgs(
            api_groups=["apps"],
            resources=["deployments/scale"],
            resource_names=list(deployments),
            verbs=["get", "patch"],
        ),
        # A pod that is to go is marked by its deletion cost.
        rbac.PolicyRuleArgs(api_groups=[""], resources=["pods"], verbs=["list", "patch"]),
    ]
