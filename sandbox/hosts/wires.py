"""The networks of a rehearsal's hosts: a bridge for each VPC, its services, and the firewall."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import threading
from typing import TYPE_CHECKING, Final

from sandbox.aws.server.world import WORLD
from sandbox.hosts import firewall, instances, nft, security_groups
from sandbox.hosts.firewall import Bridge, HostNet
from sandbox.hosts.gateway import Gateway
from sandbox.hosts.ground import check_range
from sandbox.machine.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.hosts.aws_api import Application
    from sandbox.hosts.instances import Instance
    from sandbox.hosts.metadata import Metadata
    from sandbox.hosts.names import Names
    from sandbox.machine.docker import Docker

_LOG: Final = logging.getLogger(__name__)


class Wires:
    """Makes the bridges of VPCs, and keeps the firewall as the security groups have it."""

    def __init__(
        self,
        names: Names,
        docker: Docker,
        application: Application,
        metadata: Metadata,
        there: Callable[[], set[str]],
    ) -> None:
        """Prepare; nothing is made.

        Args:
            names: Of the rehearsal.
            docker: Its engine.
            application: The AWS.
            metadata: Answers hosts about themselves.
            there: Returns the ids of the instances that have a container, or are to get one.
        """
        self._there = there
        self._names = names
        self._docker = docker
        self._application = application
        self._metadata = metadata
        # By VPC.
        self._bridges: dict[str, Bridge] = {}
        self._gateways: dict[str, Gateway] = {}
        self._making = threading.Lock()
        self._applying = threading.Lock()
        self._applied = ""
        self._changed = threading.Event()
        self._ended = False

    def start(self) -> None:
        """Follow the security groups from now on."""

        def follow() -> None:
            while True:
                self._changed.wait()
                self._changed.clear()
                if self._ended:
                    return
                try:
                    self.refresh()
                except MachineError:
                    _LOG.exception("the firewall does not follow the security groups")

        threading.Thread(target=follow, name="firewall", daemon=True).start()

    def edited(self) -> None:
        """Look at the security groups soon; returns at once."""
        self._changed.set()

    def connect(self, instance: Instance) -> str:
        """Return the Docker network of an instance's VPC, after making it where it is not there.

        Raises:
            HostsError: It cannot be made.
        """
        network = self._names.network(instance.vpc)
        with self._making:
            if instance.vpc in self._bridges:
                return network
            check_range(instance.vpc_range)
            gateway = str(next(ipaddress.ip_network(instance.vpc_range).hosts()))
            bridge = Bridge(self._names.bridge(instance.vpc), gateway)
            self._docker.network_create(
                network,
                bridge=bridge.name,
                block=instance.vpc_range,
                gateway=gateway,
                label=self._names.label,
            )
            services = Gateway(
                bridge.name,
                gateway,
                self._application,
                metadata=self._metadata,
                vpc=instance.vpc,
            )
            services.start()
            self._gateways[instance.vpc] = services
            self._bridges[instance.vpc] = bridge
        return network

    def refresh(self) -> None:
        """Put the firewall in force as the account has it now.

        Raises:
            HostsError: nftables refused.
        """
        with self._applying:
            bridges, there = dict(self._bridges), self._there()
            with WORLD.clock.lock:
                groups = security_groups.every()
                hosts = [
                    HostNet(one.address, bridges[one.vpc].name, one.security_groups)
                    for one in instances.running()
                    if one.id in there and one.vpc in bridges
                ]
            used = {group for host in hosts for group in host.groups}
            text = firewall.rules(
                self._names.table,
                hosts,
                [group for group in groups if group.id in used],
                bridges.values(),
            )
            if text != self._applied:
                nft.apply(text, bridges.values())
                self._applied = text

    def end(self) -> None:
        """Serve nobody any more; what is on the machine stays (see `ground.undo`)."""
        self._ended = True
        self._changed.set()
        for gateway in self._gateways.values():
            with contextlib.suppress(MachineError):
                gateway.stop()
