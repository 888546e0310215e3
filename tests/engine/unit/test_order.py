from engine import urns
from engine.deletes import dependents, schedule
from engine.refresh import rebuild
from engine.snapshot import Snapshot
from engine.state import Deployment, Operation, ResourceState


def urn(name: str) -> str:
    return f"urn:pulumi:s::p::k:m:T::{name}"


def thing(name: str, *needs: str, parent: str = "", delete: bool = False) -> ResourceState:
    return ResourceState(
        urn(name),
        "k:m:T",
        custom=True,
        id=name,
        dependencies=[urn(each) for each in needs],
        parent=urn(parent) if parent else "",
        delete=delete,
    )


def names(groups: list[list[ResourceState]]) -> list[set[str]]:
    return [{state.name for state in group} for group in groups]


def test_dependents_and_children_go_first() -> None:
    resources = [thing("a"), thing("b", "a"), thing("c", parent="b"), thing("d")]
    assert names(schedule(resources, resources)) == [{"c", "d"}, {"b"}, {"a"}]


def test_only_the_condemned_are_scheduled() -> None:
    resources = [thing("a"), thing("b", "a"), thing("c", "b")]
    assert names(schedule([resources[0], resources[2]], resources)) == [{"a", "c"}]


def test_an_old_and_a_new_resource_of_one_name_make_no_circle() -> None:
    # The new b needs the new a; the old a, still to be deleted, once needed b.
    resources = [thing("a"), thing("b", "a"), thing("a", "b", delete=True)]
    groups = schedule(resources, resources)
    assert [[resources.index(state) for state in group] for group in groups] == [[2], [1], [0]]


def test_dependents_are_found_through_others_but_not_through_ignored_ones() -> None:
    root = thing("a")
    resources = [root, thing("b", "a"), thing("c", "b"), thing("d"), thing("e", "c", "d")]
    assert [state.name for state in dependents(root, resources)] == ["b", "c", "e"]
    assert dependents(root, resources, {urn("b")}) == []


def test_a_refresh_leaves_no_reference_to_what_is_gone() -> None:
    kept = thing("b", "a", "c", parent="a")
    kept.property_dependencies = {"x": [urn("a"), urn("c")]}
    left = rebuild([None, thing("c"), kept])
    assert [state.name for state in left] == ["c", "b"]
    assert (kept.parent, kept.dependencies) == ("", [urn("c")])
    assert kept.property_dependencies == {"x": [urn("c")]}


def test_every_change_is_written_down_before_and_after() -> None:
    written: list[tuple[list[str], list[str]]] = []

    def save(deployment: Deployment) -> None:
        pending = [f"{op.type} {op.resource.name}" for op in deployment.pending]
        marks = [
            s.name + "!" * s.delete + "?" * s.pending_replacement for s in deployment.resources
        ]
        written.append((marks, pending))

    old, gone = thing("a"), thing("b")
    lost = Operation(thing("lost"), "creating")
    settled = Operation(thing("a"), "updating")
    snapshot = Snapshot(Deployment([old, gone], [lost, settled]), save)
    snapshot.created(snapshot.begin("create", thing("a")), old)
    snapshot.deleted(snapshot.begin("delete", gone), to_be_replaced=True)
    snapshot.failed(snapshot.begin("delete", old))
    snapshot.deleted(snapshot.begin("delete", old), to_be_replaced=False)
    unknown = "creating lost"
    assert written == [
        (["a", "b"], [unknown, "creating a"]),
        (["a", "a!", "b"], [unknown]),
        (["a", "a!", "b"], [unknown, "deleting b"]),
        (["a", "a!", "b?"], [unknown]),
        (["a", "a!", "b?"], [unknown, "deleting a"]),
        (["a", "a!", "b?"], [unknown]),
        (["a", "a!", "b?"], [unknown, "deleting a"]),
        (["a", "b?"], [unknown]),
    ]
    assert snapshot.forget_unknown() == [lost]
    snapshot.finish()
    assert written[-1] == (["a", "b?"], [])


def test_urns() -> None:
    stack = urns.make("s", "p", "", urns.STACK_TYPE, "p-s")
    parent = urns.make("s", "p", stack, "my:comp:C", "c")
    child = urns.make("s", "p", parent, "k:m:T", "odd::name")
    assert child == "urn:pulumi:s::p::my:comp:C$k:m:T::odd::name"
    assert (urns.type_of(child), urns.name_of(child)) == ("k:m:T", "odd::name")
    assert urns.split_reference(f"{child}::id") == (child, "id")
    default = urns.make("s", "p", "", "pulumi:providers:aws", "default_7_51_1")
    assert urns.is_default_provider(default)
    assert not urns.is_default_provider(child)


def test_an_old_half_does_not_stand_in_for_a_new_one_that_is_gone() -> None:
    """`rebuildBaseState` in deployment_executor.go: a URN means what stands before it."""
    user, old = thing("b", "a"), thing("a", delete=True)
    assert rebuild([None, user, old]) == [user, old]
    assert user.dependencies == []
