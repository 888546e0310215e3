"""Facts of who may reach what in a cluster: each yields what breaks it. See `facts`."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from components.settings import ports
from tests.graph.kubernetes.manifests import (
    JUPYTER,
    SCHEDULER,
    WORKER,
    Manifest,
    component,
    of,
    pods,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

METADATA = "169.254.169.254"
# Who may connect to whom, with the first and the last port: there is no other way in.
WAYS_IN = {
    (WORKER, SCHEDULER, ports.SCHEDULER, ports.SCHEDULER),
    (JUPYTER, SCHEDULER, ports.SCHEDULER, ports.SCHEDULER),
    (JUPYTER, SCHEDULER, ports.DASHBOARD, ports.DASHBOARD),
    (WORKER, WORKER, 9000, 9099),
    (SCHEDULER, WORKER, 9000, 9099),
    (SCHEDULER, WORKER, 9100, 9199),
}


def every_pod_is_closed(objects: list[Manifest]) -> Iterator[str]:
    """CIS 5.3.2; C-0030, C-0260."""
    closing = [
        policy["spec"]
        for policy in of(objects, "NetworkPolicy")
        if not policy["spec"].get("ingress") and not policy["spec"].get("egress")
    ]
    for name, pod in pods(objects):
        labels = pod["metadata"]["labels"].items()
        if not any(
            spec["podSelector"]["matchLabels"].items() <= labels
            and set(spec["policyTypes"]) == {"Ingress", "Egress"}
            for spec in closing
        ):
            yield name


def nobody_comes_in_but_by_the_table(objects: list[Manifest]) -> Iterator[str]:
    """No source is the world, none is a whole namespace, and each opening is known."""
    for policy in of(objects, "NetworkPolicy"):
        name, spec = policy["metadata"]["name"], policy["spec"]
        for rule in spec.get("ingress", []):
            if not rule.get("from") or not rule.get("ports"):
                yield f"{name}: from anybody, or to any port"
            for source in rule.get("from", []):
                yield from _odd(name, component(spec["podSelector"]["matchLabels"]), source, rule)


def _odd(name: str, to: str, source: dict[str, Any], rule: dict[str, Any]) -> Iterator[str]:
    for port in rule.get("ports", []):
        first, last = port["port"], port.get("endPort", port["port"])
        if "ipBlock" in source:
            network = ipaddress.ip_network(source["ipBlock"]["cidr"])
            if network.prefixlen == 0 or (to, first, last) != (SCHEDULER, 8786, 8786):
                yield f"{name}: {network} to {to} {first}-{last}"
        elif source.keys() != {"podSelector"}:
            yield f"{name}: {source}"
        elif (component(source["podSelector"]["matchLabels"]), to, first, last) not in WAYS_IN:
            yield f"{name}: {source} to {to} {first}-{last}"


def nobody_reaches_the_metadata(objects: list[Manifest]) -> Iterator[str]:
    """C-0052: whoever asks there gets the rights of the node."""
    for policy in of(objects, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            names_only = {port["port"] for port in rule.get("ports", [])} == {53}
            if not rule.get("to") and not names_only:
                yield f"{policy['metadata']['name']}: to anywhere"
            for target in rule.get("to", []):
                block = target.get("ipBlock")
                if block and not _keeps_from_metadata(block):
                    yield f"{policy['metadata']['name']}: {block}"


def _keeps_from_metadata(block: dict[str, Any]) -> bool:
    network = ipaddress.ip_network(block["cidr"])
    address = ipaddress.ip_address(METADATA if network.version == 4 else "fd00:ec2::254")
    kept = (ipaddress.ip_network(each) for each in block.get("except", []))
    return address not in network or any(address in each for each in kept)


def every_way_in_has_its_way_out(objects: list[Manifest]) -> Iterator[str]:
    """Both ends are closed, so an opening of one end only is none."""
    ways: dict[str, set[tuple[Any, ...]]] = {"ingress": set(), "egress": set()}
    for policy in of(objects, "NetworkPolicy"):
        whose = policy["spec"]["podSelector"]["matchLabels"]
        for direction, end in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction, []):
                for peer in rule.get(end, []):
                    if "podSelector" not in peer:
                        continue
                    pair = [component(peer["podSelector"]["matchLabels"]), component(whose)]
                    for port in rule["ports"]:
                        ends = pair if direction == "ingress" else pair[::-1]
                        ways[direction].add((*ends, port["port"], port.get("endPort")))
    for way in ways["ingress"] ^ ways["egress"]:
        yield f"{way}"


def every_row_says_why(objects: list[Manifest]) -> Iterator[str]:
    for policy in of(objects, "NetworkPolicy"):
        rules = policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
        reasons = policy["metadata"].get("annotations", {}).get("dask-cluster/reasons", "")
        if len(reasons.splitlines()) != len(rules):
            yield policy["metadata"]["name"]


def no_service_is_open_to_the_world(objects: list[Manifest]) -> Iterator[str]:
    """C-0256, C-0266."""
    policies = {p["metadata"]["name"]: p["spec"] for p in of(objects, "NetworkPolicy")}
    for service in of(objects, "Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        if spec["type"] == "ClusterIP" and "externalIPs" not in spec:
            continue
        if [port["port"] for port in spec["ports"]] != [ports.SCHEDULER]:
            yield f"{name}: {spec['ports']}"
        if spec.get("externalTrafficPolicy") != "Local":
            yield f"{name}: the policy would see the node's address, not the client's"
        scheduler = policies[f"{name.rpartition('-')[0]}-scheduler"]
        blocks = [
            source["ipBlock"]["cidr"]
            for rule in scheduler["ingress"]
            for source in rule["from"]
            if "ipBlock" in source
        ]
        if not blocks:
            yield f"{name}: for nobody"
        if spec["type"] == "LoadBalancer" and spec.get("loadBalancerSourceRanges") != blocks:
            yield f"{name}: from {spec.get('loadBalancerSourceRanges')}"
