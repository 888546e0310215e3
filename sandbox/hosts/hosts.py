"""The hosts of a server: a container for each instance that a group runs.

The twin of the guests that pretend (`sandbox.aws.guests`): it hears of the same events, and knows
of the program only what a host is told, its tags and its user data.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from sandbox.aws.guests import host as guest
from sandbox.aws.server.access import keys
from sandbox.aws.server.groups.templates import ec2
from sandbox.aws.server.world import WORLD
from sandbox.hosts import environment_image, instances
from sandbox.hosts.container import Given, host_arguments
from sandbox.hosts.errors import HostsError
from sandbox.hosts.host import Host, Spoiled
from sandbox.hosts.metadata import Metadata
from sandbox.hosts.names import DIRECT, Names
from sandbox.hosts.notices import Notices
from sandbox.hosts.preparing import prepare
from sandbox.hosts.root_image import alone
from sandbox.hosts.wires import Wires
from sandbox.machine.docker_calls import DockerError
from sandbox.machine.errors import MachineError
from sandbox.machine.registries import Registries

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.aws.server.events import Event
    from sandbox.hosts.aws_api import Application

_LOG: Final = logging.getLogger(__name__)

# So many hosts boot at a time. Each wants a whole core for some seconds, and its calls to AWS have
# limits that are meant for machines of their own.
AT_ONCE: Final = 2 * (os.cpu_count() or 1)
# Real seconds: a boot that takes longer keeps nobody else from one.
BOOT_SECONDS: Final = 60.0
# Real seconds. A system that is told to end has so long; EC2 gives it a few minutes.
SHUTDOWN_SECONDS: Final = 30.0
# An address is free again when the last one that had it is gone.
FREE_SECONDS: Final = 120.0
# EC2 ends a spot instance so long after the notice.
SPOT_SECONDS: Final = 120.0


class Hosts:
    """Boots and ends every instance of a cluster's groups."""

    def __init__(self, folder: Path, cache: Path, application: Application) -> None:
        """Prepare the hosts of a server.

        Args:
            folder: The server's own; names what is made, and gets the logs.
            cache: Where images are kept.
            application: The AWS, for the calls of hosts.
        """
        self._folder = folder / "hosts"
        self._cache = cache
        self._names = Names.of(folder)
        ready = prepare(folder, cache, say=_LOG.info)
        self._docker = ready.docker
        self._root = ready.root
        self._given = Given.prepare(self._folder, Registries.here(direct=DIRECT))
        self._notices = Notices()
        metadata = Metadata(keys.issue, self._notices)
        self._table: dict[str, Host] = {}
        self._wires = Wires(self._names, self._docker, application, metadata, self._there)
        self._spoiled: dict[str, Spoiled] = {}
        self._starts = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="host starts")
        self._ends = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="host ends")

    def start(self) -> None:
        """Begin, without whatever an earlier server of this folder has left."""
        self._docker.remove(*(one.name for one in self._docker.ps(self._names.label)))
        for network in self._docker.networks(self._names.label):
            self._docker.network_remove(network)
        self._wires.start()
        threading.Thread(target=self._watch, name="hosts", daemon=True).start()

    def tell(self, event: Event) -> None:
        """Hear of an event; returns at once."""
        told = guest.read(event)
        if event.kind == "running" and told is not None:
            logs = self._folder / event.instance
            new = Host(told, logs)
            self._table[event.instance] = new
            self._starts.submit(self._begin, new)
        elif event.kind in {"off", "ended"} and event.instance in self._table:
            known = self._table[event.instance]
            if known.there():
                known.state = "ending"
                self._ends.submit(self._end, known)

    def edited(self) -> None:
        """Hear that something of EC2 was changed; returns at once."""
        self._wires.edited()

    def table(self) -> dict[str, Any]:
        """Return what is known of every host."""
        hosts = self._hosts()
        for host in hosts:
            host.look()
        return {"docker": self._docker.endpoint, "hosts": [host.row() for host in hosts]}

    def notice(self, instance: str, kind: str) -> None:
        """Announce an end to an instance, and let EC2 end a spot instance as announced.

        Args:
            instance: Its id.
            kind: `spot` or `rebalance`.

        Raises:
            ValueError: There is no such kind.
        """
        now = datetime.now(UTC)
        if kind == "spot":
            self._notices.spot(instance, now + timedelta(seconds=SPOT_SECONDS))
            WORLD.clock.after(SPOT_SECONDS, lambda: self._taken_back(instance))
        elif kind == "rebalance":
            self._notices.rebalance(instance, now)
        else:
            raise ValueError(f"{kind!r} is neither spot nor rebalance")

    def spoil(self, group: str, how: Spoiled | None) -> None:
        """Say how the next hosts of a group start; None: as they should."""
        if how is None:
            self._spoiled.pop(group, None)
        else:
            self._spoiled[group] = how

    def reset(self) -> None:
        """End everybody: the account starts anew."""
        self._spoiled.clear()
        self._notices.reset()
        for host in self._hosts():
            if host.there():
                host.state = "ending"
                self._ends.submit(self._end, host)

    def end(self) -> None:
        """Serve nobody any more; what is on the machine stays (see `ground.undo`)."""
        self._wires.end()

    def _hosts(self) -> list[Host]:
        return list(self._table.values())

    def _begin(self, host: Host) -> None:
        try:
            self._start(host)
        except Exception as error:  # noqa: BLE001  (whatever it is: else nobody would see it)
            _LOG.exception("%s does not start", host.instance)
            host.state = "failed"
            host.reason = str(error) if isinstance(error, MachineError) else repr(error)

    def _start(self, host: Host) -> None:
        with WORLD.clock.lock:
            facts = instances.by_id(host.instance)
        if facts is None or not host.there():
            return
        spoiled = self._spoiled.get(host.told.group, Spoiled())
        host.vpc = facts.vpc
        host.step = "network"
        network = self._wires.connect(facts)
        host.step = "image"
        image = self._image(host.told, spoiled)
        host.step = "container"
        self._wait_for_address(host)
        self._wires.refresh()
        host.logs.mkdir(parents=True, exist_ok=True)
        options = [
            *host_arguments(
                self._given, network=network, address=facts.address, label=self._names.label
            ),
            # It stays when the host is gone, as in CloudWatch.
            f"--mount=type=bind,source={host.logs.resolve()},target=/var/log",
        ]
        if not host.there():
            return
        self._docker.create(host.instance, image, [*options, *spoiled.run])
        if spoiled.files:
            self._docker.put(host.instance, spoiled.files)
        host.began = time.monotonic()
        self._docker.start(host.instance)
        host.pid = self._docker.pid(host.instance)
        if host.there():
            host.state = "booting"
            self._wait_for_boot(host)

    def _image(self, told: guest.Host, spoiled: Spoiled) -> str:
        """Return the image of a host: with its environment, if that can be built."""
        archive, identity = told.settings.get("ARCHIVE"), told.settings.get("ENVIRONMENT")
        if not archive or not identity or not spoiled.built:
            return self._root
        try:
            with alone(self._cache / "environment.lock"):
                return environment_image.ensure(
                    self._docker,
                    self._root,
                    _archive(archive),
                    identity,
                    _LOG.info,
                    label=self._names.label,
                )
        except MachineError:
            # The host's own boot will say why, and report it as it would on AWS.
            _LOG.exception("the environment %s cannot be built beforehand", identity)
            return self._root

    def _wait_for_boot(self, host: Host) -> None:
        until = host.began + BOOT_SECONDS
        while host.state == "booting" and time.monotonic() < until:
            time.sleep(0.5)
            host.look()

    def _wait_for_address(self, host: Host) -> None:
        until = time.monotonic() + FREE_SECONDS
        while any(
            one.address == host.address and one.vpc == host.vpc
            for one in self._hosts()
            if one is not host and one.state != "ended"
        ):
            if time.monotonic() > until:
                raise HostsError(f"the address {host.address} does not become free")
            time.sleep(0.1)

    def _there(self) -> set[str]:
        return {one.instance for one in self._hosts() if one.there()}

    def _end(self, host: Host) -> None:
        try:
            self._docker.stop(host.instance, SHUTDOWN_SECONDS)
        except DockerError as error:
            _LOG.info("%s is not there to be stopped: %s", host.instance, error)
        try:
            self._docker.remove(host.instance)
            host.state = "ended"
            host.done = time.monotonic()
            keys.forget(host.instance)
            self._notices.forget(host.instance)
            self._wires.refresh()
        except MachineError:
            _LOG.exception("%s cannot be removed", host.instance)

    def _watch(self) -> None:
        """Tell EC2 of hosts that end by themselves."""
        with self._docker.events(self._names.label) as events:
            for event in events:
                host = self._table.get(event.name)
                if event.action != "die" or host is None or not host.there():
                    continue
                _LOG.info("%s has ended by itself, code %s", host.instance, event.code)
                with WORLD.clock.lock:
                    facts = instances.by_id(host.instance)
                    if facts is not None:
                        # A machine that is off: its group takes it for unhealthy.
                        ec2(facts.region).stop_instances([host.instance])

    def _taken_back(self, instance: str) -> None:
        facts = instances.by_id(instance)
        if facts is not None:
            ec2(facts.region).terminate_instances([instance])


def _archive(url: str) -> bytes:
    """Return the bytes of an object.

    Raises:
        HostsError: It is not there.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    with WORLD.clock.lock:
        found = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_object(bucket, key)
        if found is None:
            raise HostsError(f"{url} is not there")
        return bytes(found.value)
