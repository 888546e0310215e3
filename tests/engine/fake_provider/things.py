"""A dynamic resource on the same cloud: its provider is Python code of the program itself."""

from __future__ import annotations

from typing import Any

import pulumi  # noqa: TC002 - the SDK reads the annotations below at run time
from pulumi.dynamic import (
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from tests.engine.fake_provider.cloud import Cloud


def _shown(props: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in props.items() if key != "__provider"}


class NoteProvider(ResourceProvider):
    """Keeps a text; changing its `place` replaces it."""

    def configure(self, req: ConfigureRequest) -> None:
        self.prefix = req.config.get("prefix") or ""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        with Cloud.from_environment().record(
            "diff", _id, {"olds": _shown(_olds), "news": _shown(_news)}
        ):
            old, new = _shown(_olds), _shown(_news)
            changed = {key for key in new if old.get(key) != new[key] and key != "handle"}
            return DiffResult(
                changes=bool(changed), replaces=["place"] if "place" in changed else []
            )

    def create(self, props: dict[str, Any]) -> CreateResult:
        shown = _shown(props)
        cloud = Cloud.from_environment()
        with cloud.record("create", str(shown.get("title", "")), {"props": shown}):
            if shown.get("fail"):
                raise RuntimeError(str(shown["fail"]))
            made = {**shown, "prefix": self.prefix}
            thing_id = cloud.create("note", {"inputs": shown, "outputs": made})
            return CreateResult(thing_id, {**made, "handle": thing_id})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        shown = _shown(_news)
        with Cloud.from_environment().record("update", _id, {"news": shown}):
            made = {**shown, "prefix": self.prefix, "handle": _id}
            Cloud.from_environment().write(_id, {"inputs": shown, "outputs": made})
            return UpdateResult(made)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        with Cloud.from_environment().record("read", id_, {"props": _shown(props)}):
            found = Cloud.from_environment().read(id_)
            return ReadResult(id_ if found else "", dict(props) if found else {})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        with Cloud.from_environment().record("delete", _id, {"props": _shown(_props)}):
            Cloud.from_environment().delete(_id)


class Note(Resource, module="notes", name="Note"):
    """A note; `handle` is known once it exists."""

    handle: pulumi.Output[str]

    def __init__(
        self, name: str, *, opts: pulumi.ResourceOptions | None = None, **props: pulumi.Input[Any]
    ) -> None:
        super().__init__(NoteProvider(), name, {"handle": None, **props}, opts)
