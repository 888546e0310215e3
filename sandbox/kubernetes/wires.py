"""The networks of the box: the control plane's, and one for each node, with one wire between them.

Wires have two ends and no network: each end knows the other's address, and all others are routed.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from sandbox.kubernetes.errors import KubernetesError
from sandbox.kubernetes.places import NODES, REGISTRY_PORT, Addresses
from sandbox.machine.programs import program

if TYPE_CHECKING:
    from sandbox.kubernetes.box import Box

# Where `ip netns` puts its names; the box has a /run of its own.
NETWORKS: Final = "/run/netns"
_FORWARD: Final = ("sysctl", "-qw", "net.ipv4.ip_forward=1")


def lay(box: Box, wire: str, pid: int, addresses: Addresses) -> None:
    """Make the networks of a box, and the wire to it.

    Args:
        box: It; has no network yet.
        wire: Name of this machine's end.
        pid: Of its first process.
        addresses: For all ends.

    Raises:
        KubernetesError: The kernel refuses, in its words.
    """
    _to_machine(box, wire, pid, addresses)
    for node in NODES:
        _to_node(box, node, addresses)


def _to_machine(box: Box, wire: str, pid: int, addresses: Addresses) -> None:
    """Lay the wire between this machine and the box."""
    ip = program("ip") or "ip"
    machine, control = addresses.machine, addresses.control
    run([ip, "link", "add", wire, "type", "veth", "peer", "name", "wire", "netns", str(pid)])
    run([ip, "address", "add", str(machine), "peer", str(control), "dev", wire])
    run([ip, "link", "set", wire, "up"])
    run([ip, "route", "add", str(addresses.block), "via", str(control)])
    _ip(
        box,
        "link set lo up",
        f"address add {control} peer {machine} dev wire",
        "link set wire up",
        # Else it would come back to this machine by slirp4netns, and from there here again.
        f"route add unreachable {addresses.block}",
    )
    box.call(*_FORWARD)
    box.call("nft", "-f", "-", data=_rules(addresses))


def _to_node(box: Box, node: str, addresses: Addresses) -> None:
    """Make the network of a node, and lay its wire; at the other end it has the node's name."""
    control, address = addresses.control, addresses.node(node)
    _ip(
        box,
        f"netns add {node}",
        f"link add {node} type veth peer name wire netns {node}",
        f"address add {control} peer {address} dev {node}",
        f"link set {node} up",
    )
    _ip(
        box,
        "link set lo up",
        f"address add {address} peer {control} dev wire",
        "link set wire up",
        f"route add default via {control}",
        node=node,
    )
    box.call(*_FORWARD, node=node)
    _ip(box, f"route add {addresses.node_pods(node)} via {address}")


def _ip(box: Box, *lines: str, node: str | None = None) -> None:
    box.call("ip", "-batch", "-", data="\n".join(lines), node=node)


def _rules(addresses: Addresses) -> str:
    """Return the firewall of the box: from outside of this machine nobody gets in.

    The registry has no login, and is for its nodes alone.
    """
    nodes = ", ".join(str(addresses.node(name)) for name in NODES)
    return f"""
table ip dask {{
  set registries {{ type inet_service; elements = {{ 80 }}; }}
  chain in {{
    type filter hook prerouting priority raw; policy accept
    iifname "wire" ip saddr != {addresses.machine} drop
  }}
  chain pulls {{
    type filter hook input priority filter; policy accept
    iifname != "lo" tcp dport {REGISTRY_PORT} ip saddr != {{ {nodes} }} drop
  }}
  chain registry {{
    type nat hook output priority -100; policy accept
    ip daddr 127.0.0.1 tcp dport @registries redirect to :{REGISTRY_PORT}
  }}
  chain out {{
    type nat hook postrouting priority srcnat; policy accept
    oifname "tap0" masquerade
  }}
}}
"""


def run(command: list[str], data: str | None = None) -> str:
    """Run a command on this machine and return what it printed.

    Raises:
        KubernetesError: It failed, in its words.
    """
    done = subprocess.run(
        command, input=data or "", capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        words = " ".join(command)
        raise KubernetesError(f"{words}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
