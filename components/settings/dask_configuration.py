"""What may stand under `dask:`. Anything that Dask reads, apart from what the project decides.

Dask itself checks nothing here: an unknown key is ignored and `comm: null` takes away the TLS
settings below it, both without a word.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from components.settings.problems import Problem, did_you_mean, show
from components.settings.scalars import is_encrypted

SECTIONS = frozenset(
    {
        "admin",
        "annotations",
        "array",
        "cloudprovider",
        "dataframe",
        "distributed",
        "gateway",
        "jobqueue",
        "kubernetes",
        "labextension",
        "logging",
        "logging-file-config",
        "multiprocessing",
        "num-workers",
        "optimization",
        "pool",
        "scheduler",
        "shuffle",
        "temporary-directory",
        "tokenize",
        "visualization",
        "yarn",
    }
)
DISTRIBUTED = frozenset(
    {
        "adaptive",
        "admin",
        "client",
        "comm",
        "dashboard",
        "deploy",
        "diagnostics",
        "logging",
        "logging-file-config",
        "nanny",
        "p2p",
        "rmm",
        "scheduler",
        "version",
        "worker",
    }
)
# `scheduler: threads` is right at the top; `scheduler:` with a mapping below it is not.
_ONLY_BELOW_DISTRIBUTED = DISTRIBUTED - {"admin", "logging", "rmm"}
# Closer than this to a known section is a slip; other packages may have sections of their own.
_SLIP = 0.85

_REMOVE = "Remove it."
_OURS = "the project sets it, so that nobody without a certificate gets in"
_PRELOADS = "Dask hands these arguments to every preload, the project's own ones too"
_ADDRESS = "the project gives every process the address of its scheduler"

RESERVED: dict[str, tuple[str, str]] = {
    "default-scheme": (_OURS, _REMOVE),
    "distributed.client.security-loader": (_OURS, _REMOVE),
    "distributed.comm.default-scheme": (_OURS, _REMOVE),
    "distributed.comm.require-encryption": (_OURS, _REMOVE),
    "distributed.comm.tls": (_OURS, _REMOVE),
    "distributed.comm.ucx": ("Dask has no UCX of its own any more and ignores this", _REMOVE),
    "distributed.nanny.preload-argv": (_PRELOADS, _REMOVE),
    "distributed.scheduler.contact-address": (_ADDRESS, _REMOVE),
    "distributed.scheduler.dashboard.tls": ("the project serves the dashboard", _REMOVE),
    "distributed.scheduler.http.routes": (
        "one of these pages can end workers without a login, so the project picks them",
        _REMOVE,
    ),
    "distributed.scheduler.idle-timeout": (
        "it ends the scheduler while clients hold results, and the scheduler is started again",
        _REMOVE,
    ),
    "distributed.scheduler.pickle": ("Dask has no such switch any more and ignores it", _REMOVE),
    "distributed.scheduler.preload-argv": (_PRELOADS, _REMOVE),
    "distributed.worker.lifetime": (
        "the project starts such a worker again itself",
        "Write `lifetime:` beside `dask:`.",
    ),
    "distributed.worker.preload-argv": (_PRELOADS, _REMOVE),
    "distributed.worker.resources": (
        "the project splits resources over the processes of a worker",
        "Write `resources:` beside `dask:`.",
    ),
    "scheduler-address": (_ADDRESS, _REMOVE),
    "temporary-directory": (
        "the files of a cluster lie in its own folder, which `destroy` removes",
        _REMOVE,
    ),
    "ucx": ("Dask has no UCX of its own any more and ignores this", _REMOVE),
}
"""What the project decides, or what does nothing: the reason, and what to write instead."""

_PRELOAD_LISTS = {f"distributed.{each}.preload" for each in ("scheduler", "worker", "nanny")}
_HOLDERS = {
    ".".join(parts[:depth])
    for parts in (key.split(".") for key in RESERVED)
    for depth in range(1, len(parts))
}


def not_plain(value: object, path: str = "dask") -> Iterator[Problem]:
    """Yield what is neither text, a number, true, false, null, a list nor a mapping of those."""
    if is_encrypted(value):
        problem = "is encrypted, and would lie in clear in the files of the cluster"
        yield Problem(path, problem, "Write the value itself, or keep it out of `dask:`.")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                yield Problem(path, f"the key {show(key)} is not text", f'Write `"{key}":`.')
            yield from not_plain(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from not_plain(inner, f"{path}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem(path, "Pulumi cannot carry this number", "Write a very large one instead.")
    elif value is not None and not isinstance(value, str | int | float):
        yield Problem(path, f"{show(value)} is not plain YAML", "Write text, in quotes.")


def written_twice(configuration: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield keys that stand beside their own other spelling."""
    for path, mapping in _mappings(configuration):
        seen: dict[str, str] = {}
        for key in map(str, mapping):
            first = seen.setdefault(_hyphens(key), key)
            if first != key:
                problem = f"Dask reads this and `{first}` as one key"
                yield Problem(_shown((*path, key)), problem, "Keep one of the two.")


def dotted(configuration: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield keys written as a path where Dask wants nesting.

    Deeper down a dot can be right: names of loggers, of tasks.
    """
    for path, mapping in _mappings(configuration):
        for key in map(str, mapping):
            if "." in key and path in {(), ("distributed",)}:
                first, *rest = key.split(".")
                inner = "".join(f"{{{each}: " for each in rest)
                problem = "Dask does not split a key at its dots"
                remedy = f"Write `{first}: {inner}...{'}' * len(rest)}`."
                yield Problem(_shown((*path, key)), problem, remedy)


def misspelled(configuration: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield sections that are almost one that Dask knows, or that stand in the wrong place."""
    for path, mapping in _mappings(configuration):
        known = {(): SECTIONS, ("distributed",): DISTRIBUTED}.get(path, frozenset())
        for key, value in mapping.items():
            name = _hyphens(str(key))
            near = did_you_mean(name, sorted(known), near=_SLIP)
            at = _shown((*path, str(key)))
            if near and name not in known:
                yield Problem(at, "Dask has no such section", f"Did you mean `{near}`?")
            elif not path and name in _ONLY_BELOW_DISTRIBUTED and isinstance(value, Mapping):
                problem = "Dask reads this section below `distributed:` only"
                yield Problem(at, problem, f"Move `{key}:` there.")


def reserved(configuration: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what the project decides itself, and what would wipe it out."""
    for path, mapping in _mappings(configuration):
        for key, value in mapping.items():
            name = _hyphens(".".join((*path, str(key))))
            at = _shown((*path, str(key)))
            if name in RESERVED:
                yield Problem(at, *RESERVED[name])
            elif name in _HOLDERS and not isinstance(value, Mapping):
                problem = f"{show(value)} in place of this section would wipe out what is below it"
                yield Problem(at, problem, "Write a mapping, or remove the line.")
            elif name in _PRELOAD_LISTS and not _is_list_of_text(value):
                # The project puts its own modules in front of these.
                yield Problem(at, "only names of modules stand here", "Write `[a.module]`.")


def says(configuration: Mapping[str, Any], name: str) -> bool:
    """Return whether it has a key, in either spelling.

    Args:
        configuration: What stands under `dask:`.
        name: Such as `distributed.worker.memory.max-spill`.
    """
    return any(
        _hyphens(".".join((*path, str(key)))) == name
        for path, mapping in _mappings(configuration)
        for key in mapping
    )


def _is_list_of_text(value: object) -> bool:
    items = [value] if isinstance(value, str) else value
    return isinstance(items, list) and all(isinstance(each, str) for each in items)


def _mappings(
    mapping: Mapping[Any, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    yield path, mapping
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _mappings(value, (*path, str(key)))


def _hyphens(key: str) -> str:
    return key.replace("_", "-")


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(("dask", *path))
