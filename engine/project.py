"""The project: Pulumi.yaml and what it points at."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from engine import yaml
from engine.declarations import Declaration, declarations
from engine.errors import EngineError

_KEYS: Final = frozenset(
    {
        "name",
        "runtime",
        "main",
        "description",
        "author",
        "website",
        "license",
        "config",
        "stackConfigDir",
        "options",
        "plugins",
        "template",
    }
)
_NAMES: Final = ("Pulumi.yaml", "Pulumi.yml")
_STACK_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True)
class Options:
    """The `options:` of Pulumi.yaml.

    Attributes:
        refresh: Whether `up` begins with a refresh (`refresh: always`).
    """

    refresh: bool = False


@dataclass(frozen=True)
class Project:
    """A Pulumi project.

    Attributes:
        name: Its name, which is also the namespace of its configuration.
        directory: The folder of Pulumi.yaml.
        file: Pulumi.yaml itself.
        program: The folder the program runs in.
        stack_directory: The folder of the stack files.
        options: Its options.
        providers: Folders of provider plugins by name, from `plugins.providers`.
        declared: What it declares about configuration.
    """

    name: str
    directory: Path
    file: Path
    program: Path
    stack_directory: Path
    options: Options = Options()
    providers: Mapping[str, Path] = field(default_factory=dict)
    declared: tuple[Declaration, ...] = ()

    @classmethod
    def load(cls, start: Path) -> Self:
        """Find and read Pulumi.yaml, upwards from a folder.

        Raises:
            EngineError: There is none, it is wrong, or it uses what this engine does not support.
        """
        start = Path(start).resolve()
        for folder in (start, *start.parents):
            for name in _NAMES:
                if (folder / name).is_file():
                    return cls._read(folder / name)
        raise EngineError(
            f"no Pulumi.yaml project file found (searching upwards from {start}): "
            "go to the folder of the project and try again"
        )

    @classmethod
    def _read(cls, file: Path) -> Self:
        source = yaml.read(file)
        if not isinstance(source, Mapping):
            raise EngineError(f"could not unmarshal '{file}': it must be a map")
        if unknown := sorted(set(source) - _KEYS):
            raise EngineError(f"{file}: the key '{unknown[0]}' is not supported by this engine")
        name = source.get("name")
        if not isinstance(name, str) or not name:
            raise EngineError(
                f"could not unmarshal '{file}': project is missing a 'name' attribute"
            )
        _check_runtime(source.get("runtime"), file)
        declared, stacks = source.get("config"), source.get("stackConfigDir")
        if isinstance(declared, str):
            if stacks:
                raise EngineError(
                    f"could not unmarshal '{file}': Should not use both config and stackConfigDir "
                    "to define the stack directory"
                )
            declared, stacks = None, declared
        directory = file.parent
        return cls(
            name=name,
            directory=directory,
            file=file,
            program=_program(file, source.get("main")),
            stack_directory=directory / (stacks or "."),
            options=_options(source.get("options"), file),
            providers=_providers(source.get("plugins"), file),
            declared=tuple(declarations(name, declared, file)),
        )

    def stack_file(self, name: str) -> Path:
        """The configuration file of a stack, whether it exists or not."""
        return self.stack_directory / f"Pulumi.{name}{self.file.suffix}"

    def check_stack_name(self, name: str) -> None:
        """Refuse a name that Pulumi refuses too.

        Raises:
            EngineError: The name has other characters than letters, digits, `-`, `_` and `.`.
        """
        if not _STACK_NAME.fullmatch(name) or set(name) == {"."}:
            raise EngineError(
                f"'{name}' cannot be the name of a stack: a stack name may only contain "
                "alphanumeric, hyphens, underscores, and periods"
            )


def _check_runtime(runtime: Any, file: Path) -> None:  # noqa: ANN401
    name, options = runtime, None
    if isinstance(runtime, Mapping):
        name, options = runtime.get("name"), runtime.get("options")
    if name != "python":
        raise EngineError(f"{file}: this engine runs programs of 'runtime: python', not {name!r}")
    # These two pick an interpreter; a program of this engine always runs on the engine's own.
    if unknown := sorted(set(options or {}) - {"toolchain", "virtualenv"}):
        raise EngineError(f"{file}: the runtime option '{unknown[0]}' is not supported")


def _program(file: Path, main: str | None) -> Path:
    folder = file.parent / (main or ".")
    if not folder.is_dir():
        raise EngineError(
            f"{file}: 'main: {main}' must be a folder with a __main__.py, for this engine runs no "
            "other file"
        )
    return folder


def _options(source: Any, file: Path) -> Options:  # noqa: ANN401
    source = source or {}
    if unknown := sorted(set(source) - {"refresh"}):
        raise EngineError(f"{file}: the option '{unknown[0]}' is not supported by this engine")
    refresh = source.get("refresh")
    if refresh not in (None, "always"):
        raise EngineError(f"{file}: options.refresh can only be 'always', and it is {refresh!r}")
    return Options(refresh=refresh == "always")


def _providers(source: Any, file: Path) -> dict[str, Path]:  # noqa: ANN401
    source = source or {}
    if unknown := sorted(set(source) - {"providers"}):
        raise EngineError(f"{file}: 'plugins.{unknown[0]}' is not supported by this engine")
    found: dict[str, Path] = {}
    for item in source.get("providers") or []:
        if not isinstance(item, Mapping) or not {"name", "path"} <= item.keys():
            raise EngineError(f"{file}: each of 'plugins.providers' needs a 'name' and a 'path'")
        folder = file.parent / item["path"]
        if not folder.is_dir():
            raise EngineError(
                f"{file}: provider folder {folder} of '{item['name']}' is not a directory"
            )
        found[item["name"]] = folder
    return found
