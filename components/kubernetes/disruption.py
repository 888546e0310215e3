"""How many pods whoever empties a node may end at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_kubernetes.policy import v1 as policy

from components.kubernetes.names import SCHEDULER, Component, Names, chosen

if TYPE_CHECKING:
    import pulumi


def create_disruption_budget(
    names: Names,
    component: Component,
    *,
    group: str | None = None,
    most: int | str,
    opts: pulumi.ResourceOptions,
) -> policy.PodDisruptionBudget:
    """Create the budget of a component's pods.

    Args:
        names: What objects are called.
        component: Whose pods.
        group: The group of workers, or None.
        most: How many may be away, or what part of them such as ``10%``.
        opts: Resource options.
    """
    part = group or component
    # A worker that does not work has nothing to lose, and would hold its node for ever. A scheduler
    # that is not ready may be busy, with all work (the eviction API asks no budget for it then).
    unready = "IfHealthyBudget" if component == SCHEDULER else "AlwaysAllow"
    return policy.PodDisruptionBudget(
        names.of(part),
        metadata=names.metadata(part, component, group=group),
        spec=policy.PodDisruptionBudgetSpecArgs(
            max_unavailable=most,
            selector=chosen(names.selector(component, group)),
            unhealthy_pod_eviction_policy=unready,
        ),
        opts=opts,
    )
