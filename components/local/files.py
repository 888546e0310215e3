"""Files of the cluster's folder: the rendered ``dask.yaml`` and the certificates."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import dynamic

from components.local import private_file

if TYPE_CHECKING:
    from collections.abc import Mapping


class LocalFiles(dynamic.Resource, module="local", name="Files"):
    """Text files below one folder, mode 0600 in folders of mode 0700, gone when it is deleted.

    A file that was changed or removed by hand is found by a refresh and written again.
    """

    folder: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        folder: pulumi.Input[str],
        contents: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Write the files.

        Args:
            name: Name of the resource.
            folder: Absolute path; made if it does not exist.
            contents: Text by path relative to the folder; kept as a secret in the state.
            opts: Resource options.
        """
        props = {"folder": folder, "contents": pulumi.Output.secret(dict(contents))}
        super().__init__(_FilesProvider(), name, props, opts)


class _FilesProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        moved = olds["folder"] != news["folder"]
        return dynamic.DiffResult(
            changes=moved or olds["contents"] != news["contents"],
            replaces=["folder"] if moved else [],
        )

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        folder = Path(props["folder"])
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, text in props["contents"].items():
            private_file.write(folder / path, text)
        return dynamic.CreateResult(id_=str(folder), outs=props)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        folder = Path(props["folder"])
        there = {path: _read(folder / path) for path in props["contents"]}
        found = {path: text for path, text in there.items() if text is not None}
        if not found:
            return dynamic.ReadResult(id_="", outs={})
        seen = props | {"contents": found}
        return dynamic.ReadResult(id_=id_, outs=seen, inputs=seen)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        self.create(news)
        for path in olds["contents"].keys() - news["contents"].keys():
            (Path(news["folder"]) / path).unlink(missing_ok=True)
        return dynamic.UpdateResult(outs=news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        folder = Path(props["folder"])
        for path in props["contents"]:
            (folder / path).unlink(missing_ok=True)
            if "/" in path:
                shutil.rmtree(folder / path.split("/")[0], ignore_errors=True)


def _read(path: Path) -> str | None:
    """Return a file's text, or None if it is not there or can be read by others."""
    if not path.is_file() or stat.S_IMODE(path.stat().st_mode) != private_file.MODE:
        return None
    return path.read_text(errors="replace")
