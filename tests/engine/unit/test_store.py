import os
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.state import Deployment, ResourceState
from engine.store import Store
from engine.values import Secret

SECRET = Deployment(
    [ResourceState("urn:pulumi:s::p::k:m:T::a", "k:m:T", outputs={"word": Secret("xyzzy")})]
)


def test_a_full_disk_leaves_no_empty_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    store = Store(tmp_path / "stack", "s")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(EngineError, match="the disk is full"):
            store.save(SECRET)
    assert list((tmp_path / "stack").iterdir()) == []
    store.save(SECRET)
    assert (tmp_path / "stack" / "passphrase").read_text().strip()


def test_a_lost_passphrase_is_not_replaced(tmp_path: Path) -> None:
    Store(tmp_path, "s").save(SECRET)
    (tmp_path / "passphrase").unlink()
    with pytest.raises(EngineError, match="passphrase is missing"):
        Store(tmp_path, "s").load()
    assert not (tmp_path / "passphrase").exists()


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    Store(tmp_path / "stack", "s").save(SECRET)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "stack").iterdir()}
    assert modes == {"passphrase": 0o600, "stack.json": 0o600}
