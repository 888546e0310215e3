from collections.abc import Callable

import pytest

from engine.errors import EngineError
from engine.snapshot import Snapshot
from engine.state import Deployment, Operation, ResourceState

A_URN = "urn:pulumi:s::p::k:m:T::a"


class Disk:
    """Keeps what was saved last, and can be full."""

    def __init__(self) -> None:
        self.full = False
        self.resources: list[str] = []
        self.pending: list[str] = []

    def save(self, deployment: Deployment) -> None:
        if self.full:
            raise EngineError("the disk is full")
        self.resources = [state.id for state in deployment.resources]
        self.pending = [operation.type for operation in deployment.pending]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def snapshot(disk: Disk) -> Snapshot:
    return Snapshot(Deployment(), disk.save)


def refused(work: Callable[[], object]) -> None:
    with pytest.raises(EngineError, match="the disk is full"):
        work()


def test_what_exists_is_written_as_soon_as_the_disk_takes_it(
    snapshot: Snapshot, disk: Disk
) -> None:
    operation = snapshot.begin("create", ResourceState(A_URN, "k:m:T", custom=True, id="1"))
    assert disk.pending == ["creating"]
    disk.full = True
    refused(lambda: snapshot.created(operation, None))
    # The executor takes the refusal for a failure of the step.
    snapshot.failed(operation)
    refused(snapshot.finish)
    disk.full = False
    snapshot.finish()
    assert (disk.resources, disk.pending) == (["1"], [])


def test_what_could_not_be_announced_is_not_pending(snapshot: Snapshot, disk: Disk) -> None:
    disk.full = True
    refused(lambda: snapshot.begin("create", ResourceState(A_URN, "k:m:T", custom=True)))
    disk.full = False
    snapshot.save()
    assert (disk.resources, disk.pending) == ([], [])


def test_what_is_nothing_but_its_record_leaves_no_doubt() -> None:
    """Nobody has to look for a component or a provider that a killed run was making."""
    made = ResourceState(A_URN, "k:m:T", custom=True)
    component = ResourceState("urn:pulumi:s::p::k:m:C::b", "k:m:C", custom=False)
    provider = ResourceState("urn:pulumi:s::p::pulumi:providers:k::c", "pulumi:providers:k", True)  # noqa: FBT003
    pending = [Operation(each, "creating") for each in (component, provider, made)]
    snapshot = Snapshot(Deployment(pending=pending), None)
    assert [each.resource for each in snapshot.forget_unknown()] == [made]
