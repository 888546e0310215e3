"""Puts the firewall of the hosts in force, and takes it away."""

import re
import socket
import subprocess
from collections.abc import Iterable
from typing import Final

from sandbox.hosts.errors import HostsError
from sandbox.hosts.firewall import Bridge
from sandbox.machine.programs import program

_SECONDS: Final = 30.0
_BRIDGE: Final = re.compile(r'"(dc-[0-9a-f]{8})"')


def apply(text: str, bridges: Iterable[Bridge]) -> None:
    """Put a table in force, in one step.

    Args:
        text: What `firewall.rules` wrote.
        bridges: Those of the table; all exist.

    Raises:
        HostsError: A bridge is missing, or nftables refused the text; the old rules stand then.
    """
    for bridge in bridges:
        # Without it the rules do not see what goes from host to host. It is the switch of this
        # one bridge, not the machine's: other bridges are not ours.
        switches = ["nf_call_iptables", "1", "nf_call_ip6tables", "1"]
        _run(["ip", "link", "set", "dev", bridge.name, "type", "bridge", *switches])
    _run(["nft", "-f", "-"], text)


def remove(table: str) -> None:
    """Remove a table, if it is there.

    Raises:
        HostsError: nftables refused.
    """
    # Without the program nobody made a table. The first line makes sure that there is one.
    if program("nft") is not None:
        _run(["nft", "-f", "-"], f"table inet {table}\ndelete table inet {table}\n")


def bridges(table: str) -> list[str]:
    """Return the names of the bridges that a table has rules for; none without the table."""
    if program("nft") is None:
        return []
    try:
        listed = _run(["nft", "list", "table", "inet", table])
    except HostsError:
        return []
    return sorted(set(_BRIDGE.findall(listed)))


def remove_bridge(name: str) -> None:
    """Remove a bridge that Docker does not know any more; one that is gone is fine."""
    if name in (known for _, known in socket.if_nameindex()):
        _run(["ip", "link", "delete", "dev", name])


def _run(command: list[str], text: str = "") -> str:
    shown = " ".join(command)
    command[0] = program(command[0]) or command[0]
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostsError(f"the firewall of the hosts: {shown}: {error}") from error
    if done.returncode:
        raise HostsError(f"the firewall of the hosts: {shown}: {done.stderr.strip()}")
    return done.stdout
