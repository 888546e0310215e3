"""Who may talk to whom: every opening as a row with its reason, and everything else is closed.

They hold where the cluster's network plugin enforces them. Probes, `kubectl port-forward` and a
pod's talk with itself pass in any case ("Network Policies" in Kubernetes' documentation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pulumi
from pulumi_kubernetes.networking import v1 as networking

from components.kubernetes.names import JUPYTER, SCHEDULER, WHOLE, WORKER, Component, Names, chosen
from components.settings import ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REASONS = "dask-cluster/reasons"


@dataclass(frozen=True)
class Opening:
    """One opening between pods of the cluster, for TCP: out of the source and in to the target.

    Attributes:
        source: Who connects.
        to: Whose ports these are.
        ports: Both ends are included.
        reason: Why it is open.
    """

    source: Component
    to: Component
    ports: range
    reason: str


@dataclass(frozen=True)
class WayOut:
    """What a pod may reach beyond the cluster.

    Attributes:
        source: Who connects.
        to: ``names``: only these, wherever the cluster keeps them, in a pod, in a node's cache, on
            a host. ``anything``: all addresses but those of `METADATA`.
        reason: Why it is open.
    """

    source: Component
    to: Literal["names", "anything"]
    reason: str


_SCHEDULER = range(ports.SCHEDULER, ports.SCHEDULER + 1)
_DASHBOARD = range(ports.DASHBOARD, ports.DASHBOARD + 1)

OPENINGS = (
    Opening(WORKER, SCHEDULER, _SCHEDULER, "workers register and report"),
    Opening(WORKER, WORKER, ports.WORKERS, "workers fetch data from each other"),
    Opening(SCHEDULER, WORKER, ports.WORKERS, "the scheduler gathers results"),
    Opening(SCHEDULER, WORKER, ports.NANNIES, "the scheduler restarts workers"),
    Opening(JUPYTER, SCHEDULER, _SCHEDULER, "notebooks are clients"),
    Opening(JUPYTER, SCHEDULER, _DASHBOARD, "the notebook server shows the dashboard"),
)
"""Jupyter's own port is open to nobody: people come by `kubectl port-forward`, with the token."""

WAYS_OUT = (
    *(WayOut(each, "names", "names are looked up") for each in (SCHEDULER, WORKER, JUPYTER)),
    WayOut(
        SCHEDULER,
        "anything",
        "the API of Kubernetes, at another address and port in each cluster; others have no token",
    ),
    WayOut(WORKER, "anything", "tasks read data where they find it: S3, the internet"),
    WayOut(JUPYTER, "anything", "notebooks read data where they find it: S3, the internet"),
)

FOR_CLIENTS = "clients from allowedCidrs, by TLS with a certificate"

DNS_PORT = 53
# Whoever asks there gets the rights of the node ("Instance metadata" in the EC2 User Guide).
METADATA = {"0.0.0.0/0": "169.254.169.254/32", "::/0": "fd00:ec2::254/128"}


class NetworkPolicies(pulumi.ComponentResource):
    """A policy that closes the cluster's pods, and one for each role with its openings.

    Attributes:
        ready: The policies. A pod depends on them: it needs them from its start to its drain.
    """

    ready: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        names: Names,
        jupyter: bool,
        allowed_cidrs: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the policies.

        Args:
            name: Name of the component.
            names: What objects are called.
            jupyter: Whether there is a JupyterLab.
            allowed_cidrs: From where clients may come directly.
            opts: Resource options.
        """
        super().__init__("dask-cluster:kubernetes:NetworkPolicies", name, None, opts)
        self._names = names
        self._child = pulumi.ResourceOptions(parent=self)
        self._there = (SCHEDULER, WORKER, JUPYTER) if jupyter else (SCHEDULER, WORKER)
        self._allowed_cidrs = allowed_cidrs
        self.ready = [
            self._create_closing(),
            *(self._create_policy(component) for component in self._there),
        ]
        self.register_outputs({})

    def _create_closing(self) -> networking.NetworkPolicy:
        return networking.NetworkPolicy(
            self._names.of("closed"),
            metadata=self._names.metadata("closed", WHOLE),
            spec=networking.NetworkPolicySpecArgs(
                pod_selector=chosen(self._names.selector()), policy_types=["Ingress", "Egress"]
            ),
            opts=self._child,
        )

    def _create_policy(self, component: Component) -> networking.NetworkPolicy:
        into = [row for row in OPENINGS if row.to == component and row.source in self._there]
        out = [row for row in OPENINGS if row.source == component]
        beyond = [row for row in WAYS_OUT if row.source == component]
        clients = self._allowed_cidrs if component == SCHEDULER else ()
        why_in = [row.reason for row in into] + ([FOR_CLIENTS] if clients else [])
        return networking.NetworkPolicy(
            self._names.of(component),
            metadata=self._names.metadata(
                component,
                component,
                annotations=_reasons(
                    why_in, [row.reason for row in out] + [row.reason for row in beyond]
                ),
            ),
            spec=networking.NetworkPolicySpecArgs(
                pod_selector=chosen(self._names.selector(component)),
                policy_types=["Ingress", "Egress"],
                ingress=[
                    *(self._ingress(row) for row in into),
                    *([_from_networks(clients)] if clients else []),
                ]
                # Kubernetes drops an empty list, and each `up` would see a change.
                or None,
                egress=[*(self._egress(row) for row in out), *map(_out, beyond)],
            ),
            opts=self._child,
        )

    def _ingress(self, row: Opening) -> networking.NetworkPolicyIngressRuleArgs:
        return networking.NetworkPolicyIngressRuleArgs(
            from_=[self._pods(row.source)], ports=[_ports(row.ports)]
        )

    def _egress(self, row: Opening) -> networking.NetworkPolicyEgressRuleArgs:
        return networking.NetworkPolicyEgressRuleArgs(
            to=[self._pods(row.to)], ports=[_ports(row.ports)]
        )

    def _pods(self, component: Component) -> networking.NetworkPolicyPeerArgs:
        return networking.NetworkPolicyPeerArgs(
            pod_selector=chosen(self._names.selector(component))
        )


def _from_networks(cidrs: Iterable[str]) -> networking.NetworkPolicyIngressRuleArgs:
    return networking.NetworkPolicyIngressRuleArgs(
        from_=[
            networking.NetworkPolicyPeerArgs(ip_block=networking.IPBlockArgs(cidr=cidr))
            for cidr in cidrs
        ],
        ports=[_ports(_SCHEDULER)],
    )


def _out(row: WayOut) -> networking.NetworkPolicyEgressRuleArgs:
    if row.to == "names":
        return networking.NetworkPolicyEgressRuleArgs(
            ports=[
                networking.NetworkPolicyPortArgs(port=DNS_PORT, protocol=protocol)
                for protocol in ("UDP", "TCP")
            ]
        )
    return networking.NetworkPolicyEgressRuleArgs(
        to=[
            networking.NetworkPolicyPeerArgs(
                ip_block=networking.IPBlockArgs(cidr=cidr, except_=[metadata])
            )
            for cidr, metadata in METADATA.items()
        ]
    )


def _ports(of: range) -> networking.NetworkPolicyPortArgs:
    end = of[-1] if len(of) > 1 else None
    return networking.NetworkPolicyPortArgs(port=of[0], end_port=end, protocol="TCP")


def _reasons(into: Iterable[str], out: Iterable[str]) -> dict[str, str]:
    """Write the reasons down in the order of the rules, for whoever describes the policy."""
    return {REASONS: "\n".join([*(f"in: {each}" for each in into), *(f"out: {e}" for e in out)])}
