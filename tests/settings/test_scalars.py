"""Single values, compared with Dask's own readers."""

from typing import Any

import dask
import dask.utils
import distributed  # noqa: F401 - fills the table of Dask's old names
import pytest
from dask.config import deprecations
from distributed.deploy.utils import nprocesses_nthreads
from pydantic import TypeAdapter, ValidationError

from components.settings import nprocesses, scalars
from components.settings.dask_configuration import (
    DISTRIBUTED,
    RESERVED,
    SECTIONS,
    misspelled,
    reserved,
)
from components.settings.packages import Packages

# Typed or not, by the version of distributed.
DASKS_TABLE: Any = nprocesses_nthreads

SIZE: TypeAdapter[int] = TypeAdapter(scalars.Size)
LIFETIME: TypeAdapter[float | None] = TypeAdapter(scalars.Lifetime)
PACKAGES: TypeAdapter[tuple[str, ...]] = TypeAdapter(Packages)
RESOURCES: TypeAdapter[dict[str, float]] = TypeAdapter(scalars.Resources)
WORKERS: TypeAdapter[int] = TypeAdapter(scalars.Workers)
MAX_WORKERS: TypeAdapter[int | None] = TypeAdapter(scalars.MaxWorkers)
DRAIN: TypeAdapter[float] = TypeAdapter(scalars.DrainTimeout)
QUIET: TypeAdapter[float | None] = TypeAdapter(scalars.Quiet)
PORT: TypeAdapter[int] = TypeAdapter(scalars.Port)


@pytest.mark.parametrize("threads", range(1, 257))
def test_auto_is_dasks_own_table(threads: int) -> None:
    assert nprocesses(threads) == DASKS_TABLE(threads)[0]
    assert threads % nprocesses(threads) == 0


@pytest.mark.parametrize(
    "unit", ["", "B", "kB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB"]
)
@pytest.mark.parametrize("number", ["0", "1", "2.5", "1e3", "1.5e2"])
def test_sizes_are_dasks(number: str, unit: str) -> None:
    for text in (f"{number} {unit}", f"{number}{unit.lower()}", f" {number}  {unit[:-1]} "):
        assert SIZE.validate_python(text) == dask.utils.parse_bytes(text)


@pytest.mark.parametrize("size", [2**30, "1073741824", 1073741824.0, "1 GiB", "1024 mib", "1Gi"])
def test_a_size_has_many_spellings(size: object) -> None:
    assert SIZE.validate_python(size) == 2**30


@pytest.mark.parametrize(
    "size", ["", "GB", "-1 GB", "1 G B", "0x10", "1,5 GB", "1 GB/s", "nan", True, None, [1]]
)
def test_what_is_not_a_size(size: object) -> None:
    with pytest.raises(ValidationError, match=r"Write for example `2 GiB`"):
        SIZE.validate_python(size)


@pytest.mark.parametrize(
    "unit", ["s", "m", "h", "d", "w", "second", "minutes", "hours", "day", "weeks", ""]
)
def test_durations_are_dasks(unit: str) -> None:
    for text in (f"90 {unit}", f"90.5{unit}", f"1e2 {unit.upper()}"):
        assert LIFETIME.validate_python(text) == dask.utils.parse_timedelta(text)


@pytest.mark.parametrize("never", [None, "", "null"])
def test_a_worker_may_live_for_ever(never: object) -> None:
    assert LIFETIME.validate_python(never) is None


@pytest.mark.parametrize(
    "lifetime", ["2 h 30 m", "2:30", "h", -90, "59 s", 59.9, True, ["2 h"], float("inf")]
)
def test_what_is_not_a_lifetime(lifetime: object) -> None:
    with pytest.raises(ValidationError):
        LIFETIME.validate_python(lifetime)


@pytest.mark.parametrize("never", [None, "", "null"])
def test_most_workers_and_stops_may_be_left_open(never: object) -> None:
    assert MAX_WORKERS.validate_python(never) is None
    assert QUIET.validate_python(never) is None


@pytest.mark.parametrize("timeout", [None, "", "null", "never", 0.999, "0 s", "86400.1 s", "2 d"])
def test_what_is_not_a_time_to_drain(timeout: object) -> None:
    """A supervisor counts on the end of it."""
    with pytest.raises(ValidationError):
        DRAIN.validate_python(timeout)


@pytest.mark.parametrize(("text", "seconds"), [("1 s", 1), (86400, 86400), ("1 d", 86400)])
def test_the_ends_of_a_time_to_drain(text: object, seconds: float) -> None:
    assert DRAIN.validate_python(text) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("1 s", 1), (1, 1), ("52 weeks", 52 * 604800)])
def test_a_cluster_may_be_quiet_for_any_time(text: object, seconds: float) -> None:
    assert QUIET.validate_python(text) == seconds


@pytest.mark.parametrize("quiet", [0, "0.9 s", "soon", False])
def test_what_is_not_a_time_to_be_quiet(quiet: object) -> None:
    with pytest.raises(ValidationError):
        QUIET.validate_python(quiet)


@pytest.mark.parametrize("count", [0, "0", -1, 100_001, "many", True])
def test_what_is_not_a_most(count: object) -> None:
    with pytest.raises(ValidationError):
        MAX_WORKERS.validate_python(count)


@pytest.mark.parametrize("count", [4, "4", " 4 ", 4.0])
def test_counts_are_text_or_numbers(count: object) -> None:
    assert WORKERS.validate_python(count) == 4


@pytest.mark.parametrize(
    "count", [-1, "-1", 100_001, 10**20, "9" * 5000, "4.0", "04", "four", True, None, "٤", {}]
)
def test_what_is_not_a_count(count: object) -> None:
    with pytest.raises(ValidationError):
        WORKERS.validate_python(count)


@pytest.mark.parametrize(
    ("port", "right"), [(1023, False), (1024, True), (65535, True), (65536, False)]
)
def test_ports_end_where_they_end(port: int, right: bool) -> None:  # noqa: FBT001
    if right:
        assert PORT.validate_python(port) == port
    else:
        with pytest.raises(ValidationError, match="out of range"):
            PORT.validate_python(port)


@pytest.mark.parametrize("amount", [0, 0.1234567891234, "2", "1e9", 10**9])
def test_amounts_of_resources(amount: float | str) -> None:
    assert RESOURCES.validate_python({"GPU": amount}) == {"GPU": float(amount)}


@pytest.mark.parametrize(
    "text", ["a==1", "a[b,c]>=1,<2", "A_b~=1.0; python_version < '3.13'", "a!=1", "a (>=1)"]
)
def test_packages_have_a_version(text: str) -> None:
    assert len(PACKAGES.validate_python([text])) == 1


def test_a_package_reads_the_same_however_it_is_spaced() -> None:
    assert PACKAGES.validate_python([" xarray >= 2025.1 "]) == ("xarray>=2025.1",)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "",
        "a>=",
        "a @ https://u:p@h/a.whl",
        "https://h/a.whl",
        "./a",
        "/a",
        "../a",
        "~/a",
        "a/b==1",
        "-e .",
        "--index-url https://h",
        "a=1",
        "a@u:p",
        3,
    ],
)
def test_what_is_not_a_package(text: object) -> None:
    with pytest.raises(ValidationError) as caught:
        PACKAGES.validate_python([text])
    assert "u:p" not in str(caught.value.errors(include_input=False, include_context=False))


@pytest.mark.parametrize("text", ["https://h/token", "a@token", "../token", "c:\\token", "a/token"])
def test_an_address_may_hold_a_password_and_is_not_repeated(text: str) -> None:
    with pytest.raises(ValidationError, match="an address or a path is not the same") as caught:
        PACKAGES.validate_python([text])
    assert "token" not in caught.value.errors(include_input=False)[0]["msg"]


def nested(dotted: str, value: object) -> dict[str, object]:
    first, _, rest = dotted.partition(".")
    return {first: nested(rest, value) if rest else value}


def test_dasks_own_configuration_is_allowed() -> None:
    """Its defaults hold reserved keys, but no section of them reads as misspelled."""
    assert not list(misspelled(dask.config.config))
    assert set(dask.config.get("distributed")) <= DISTRIBUTED
    for key in deprecations:
        assert not list(misspelled(nested(key, 1))), key
    assert "distributed" in SECTIONS


def test_an_old_name_does_not_open_a_reserved_key() -> None:
    """Dask renames what it reads: `default-scheme` becomes `distributed.comm.default-scheme`."""
    for old, new in deprecations.items():
        if new in RESERVED:
            assert old in RESERVED, old


@pytest.mark.parametrize("key", sorted(RESERVED))
def test_reserved_keys_are_refused_in_each_spelling(key: str) -> None:
    for spelling in (key, key.replace("-", "_")):
        for value in (None, 1, {}, {"a": 1}):
            assert list(reserved(nested(spelling, value))), spelling


@pytest.mark.parametrize(
    "key", ["distributed", "distributed.comm", "distributed.worker", "distributed.scheduler.http"]
)
@pytest.mark.parametrize("value", [None, False, [], "x"])
def test_a_section_above_a_reserved_key_cannot_be_emptied(key: str, value: object) -> None:
    """Dask puts the value in place of the whole section, TLS and all."""
    merged = dask.config.merge(
        {"distributed": {"comm": {"tls": 1}}}, nested("distributed.comm", value)
    )
    assert merged["distributed"]["comm"] == value
    assert list(reserved(nested(key, value)))
