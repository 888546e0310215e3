"""Instances: found by id at once, described with all that they were launched with.

moto walks through every reservation for each instance that it looks for, which makes two thousand
instances a matter of minutes; it ends instances in no time, and forgets interfaces that it made.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidInstanceIdError, InvalidParameterCombination
from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import AmiBackend
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import passes_filter_dict

from sandbox.aws.server import extras
from sandbox.aws.server.groups import machine
from sandbox.aws.server.repairs import instance_view
from sandbox.aws.server.repairs.patching import replace
from sandbox.aws.server.world import WORLD

# Real seconds.
ENDING_SECONDS = 0.2
_KEPT_SECONDS = 3600.0
_PAGE = 1000
_SHUTTING_DOWN = 32


def apply() -> None:
    """Repair instances."""
    _index()
    _phases()
    _interfaces()
    _images()
    replace(InstanceResponse, "describe_instances", _describe_instances)


def _index() -> None:
    original = Instance.__init__

    def init(self: Instance, ec2_backend: EC2Backend, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        original(self, ec2_backend, *args, **kwargs)
        extras.of_region(ec2_backend).instances[self.id] = self

    def get_instance(self: EC2Backend, instance_id: str) -> Instance:
        found = extras.of_region(self).instances.get(instance_id)
        if found is None:
            raise InvalidInstanceIdError(instance_id)
        return found

    def get_instance_by_id(self: EC2Backend, instance_id: str) -> Instance | None:
        return extras.of_region(self).instances.get(instance_id)

    def get_many(
        self: EC2Backend,
        instance_ids: list[str],
        filters: Any = None,  # noqa: ANN401
    ) -> list[Instance]:
        known = extras.of_region(self).instances
        missing = [key for key in instance_ids if key not in known]
        if missing:
            raise InvalidInstanceIdError(missing)
        return [known[key] for key in instance_ids if known[key].applies(filters)]

    replace(Instance, "__init__", init)
    replace(InstanceBackend, "get_instance", get_instance)
    replace(InstanceBackend, "get_instance_by_id", get_instance_by_id)
    replace(InstanceBackend, "get_multi_instances_by_id", get_many)


def _phases() -> None:
    """An instance shuts down for a moment before it is terminated, and groups hear of it."""
    terminate, stop = Instance.terminate, Instance.stop

    def shut_down(self: Instance) -> InstanceState:
        before = InstanceState(self.state, self.state_code)
        if self.state in {"shutting-down", "terminated"}:
            return before
        self._state = InstanceState("shutting-down", _SHUTTING_DOWN)
        machine.instance_off(self.region_name, self.id)

        def over() -> None:
            terminate(self)
            machine.instance_ended(self.region_name, self.id)
            WORLD.clock.soon(_KEPT_SECONDS, lambda: _forget(self))

        WORLD.clock.soon(ENDING_SECONDS, over)
        return before

    def stop_it(self: Instance) -> InstanceState:
        before = stop(self)
        machine.instance_off(self.region_name, self.id)
        machine.instance_ended(self.region_name, self.id)
        return before

    replace(Instance, "terminate", shut_down)
    replace(Instance, "stop", stop_it)


def _forget(instance: Instance) -> None:
    """Let a terminated instance disappear, as AWS does after about an hour."""
    backend: EC2Backend = instance.ec2_backend
    extras.of_region(backend).instances.pop(instance.id, None)
    backend.tags.pop(instance.id, None)
    for key, reservation in list(backend.reservations.items()):
        if instance in reservation.instances:
            reservation.instances.remove(instance)
            if not reservation.instances:
                del backend.reservations[key]


def _interfaces() -> None:
    """An interface that is made with an instance ends with it, unless the caller says not."""
    original = Instance.prep_nics

    def prep_nics(self: Instance, nic_spec: list[dict[str, Any]], **kwargs: Any) -> None:  # noqa: ANN401
        given = {str(one["NetworkInterfaceId"]) for one in nic_spec if "NetworkInterfaceId" in one}
        kept = {
            int(one["DeviceIndex"]) for one in nic_spec if one.get("DeleteOnTermination") is False
        }
        original(self, nic_spec, **kwargs)
        for index, nic in self.nics.items():
            nic.delete_on_termination = nic.id not in given and index not in kept

    replace(Instance, "prep_nics", prep_nics)


def _images() -> None:
    """Moto looks through 1,300 images for each instance that it makes."""
    original = AmiBackend.describe_images

    def describe_images(self: EC2Backend, *args: Any, **kwargs: Any) -> list[Any]:  # noqa: ANN401
        filters = kwargs.get("filters") or {}
        if not args and set(kwargs) == {"filters"} and set(filters) == {"image-id"}:
            wanted = filters["image-id"]
            if isinstance(wanted, str):
                return [self.amis[wanted]] if wanted in self.amis else []
        return original(self, *args, **kwargs)

    replace(AmiBackend, "describe_images", describe_images)


def _describe_instances(self: InstanceResponse) -> ActionResult:
    self.error_on_dryrun()
    ids = self._get_param("InstanceIds", [])
    size = self._get_param("MaxResults")
    if ids and size:
        raise InvalidParameterCombination(
            "The parameter instancesSet cannot be used with the parameter maxResults"
        )
    backend: EC2Backend = self.ec2_backend
    rows = _chosen(backend, ids, self._filters_from_querystring())
    start = int(self._get_param("NextToken") or 0)
    end = start + int(size or (len(ids) or _PAGE))
    return ActionResult(
        {
            "Reservations": [instance_view.reservation(one, of) for one, of in rows[start:end]],
            "NextToken": str(end) if end < len(rows) else None,
        }
    )


def _chosen(
    backend: EC2Backend, ids: list[str], filters: dict[str, Any]
) -> list[tuple[Reservation, list[Instance]]]:
    known = extras.of_region(backend).instances
    missing = [key for key in ids if key not in known]
    if missing:
        raise InvalidInstanceIdError(missing if len(missing) > 1 else missing[0])
    wanted = set(ids)
    rows = []
    for reservation in backend.reservations.values():
        chosen = [
            one
            for one in reservation.instances
            if (not wanted or one.id in wanted) and passes_filter_dict(one, filters)
        ]
        if chosen:
            rows.append((reservation, chosen))
    return rows
