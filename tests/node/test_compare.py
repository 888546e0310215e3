from __future__ import annotations

from typing import TYPE_CHECKING

from dask_node.compare import Group, differences, same, sentence, table

if TYPE_CHECKING:
    from dask_node.environment import Environment


def environment(identity: str = "aaaa", python: str = "3.11.7", **packages: str) -> Environment:
    return {"identity": identity, "python": python, "packages": packages}


def test_pythons_minor_version_counts_and_its_patch_does_not() -> None:
    old, patch, new = environment(), environment(python="3.11.9"), environment(python="3.12.1")
    assert same([[Group(old, 1)], [Group(patch, 1)]])
    assert not same([[Group(old, 1)], [Group(new, 1)]])
    assert differences([[Group(old, 1)], [Group(new, 1)]]) == [("python", ("3.11.7", "3.12.1"))]


def test_a_package_that_one_side_has_counts() -> None:
    one, two = environment(dask="1"), environment(dask="1", toml="2")
    assert differences([[Group(one, 1)], [Group(two, 1)]]) == [("toml", ("-", "2"))]
    assert differences([[Group(two, 1)], [Group(one, 1)]]) == [("toml", ("2", "-"))]


def test_an_identity_alone_counts() -> None:
    assert not same([[Group(environment("aaaa"), 1)], [Group(environment("bbbb"), 1)]])


def test_no_workers_say_nothing() -> None:
    assert same([[Group(environment(), 1)], []])


def test_workers_that_differ_among_themselves_are_counted() -> None:
    columns = {
        "client": [Group(environment(dask="2"), 1)],
        "workers": [Group(environment(dask="2"), 7), Group(environment(dask="1", toml="1"), 3)],
    }
    assert table(columns) == (
        "             client  workers\n"
        "dask         2       1 (3), 2 (7)\n"
        "toml         -       - (7), 1 (3)\n"
        "environment  aaaa    aaaa"
    )


def test_many_differences_are_cut() -> None:
    one = environment(**{f"p{number:02}": "1" for number in range(25)})
    columns = {"client": [Group(one, 1)], "scheduler": [Group(environment(), 1)]}
    lines = table(columns).splitlines()
    assert lines[1] == "p00          1       -"
    assert lines[-3:] == ["p19          1       -", "and 5 more", "environment  aaaa    aaaa"]
    said = sentence(one, environment(), whose="the scheduler")
    assert said.startswith("both are called environment aaaa: p00 1 here, absent on the scheduler;")
    assert said.endswith("; p19 1 here, absent on the scheduler; and 5 more")


def test_the_same_packages_with_other_files() -> None:
    said = sentence(environment("aaaa"), environment("bbbb"), whose="the scheduler")
    assert said == (
        "environment aaaa here, bbbb on the scheduler: "
        "the same packages, but other files of the project"
    )
