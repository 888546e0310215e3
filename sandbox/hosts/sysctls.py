"""The kernel's settings that hosts need, and the way back."""

import json
from pathlib import Path
from typing import Any, Final

FORWARD: Final = "net/ipv4/ip_forward"
# Each only ever raised. 30 hosts with systemd do not come up with the kernel's 128 instances.
LEAST: Final = {
    FORWARD: 1,
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 524288,
}
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Sysctls:
    """Settings that are changed, with a ledger of what they were.

    The ledger has a line before its setting is changed, so that a kill between the two loses
    nothing.
    """

    def __init__(self, ledger: Path, root: Path = Path("/proc/sys")) -> None:
        """Prepare.

        Args:
            ledger: Where old values are written down.
            root: Of the settings.
        """
        self._ledger = ledger
        self._root = root

    def change(self) -> None:
        """Raise what is too low."""
        known = self._read()
        for name, least in LEAST.items():
            old = self._get(name)
            if int(old) >= least:
                continue
            entry = known.setdefault(name, {"old": old})
            entry["new"] = str(least)
            if name == FORWARD:
                entry.setdefault("beside", self._beside())
            self._write(known)
            self._set(name, str(least))

    def restore(self, *, keep: frozenset[str] = frozenset()) -> None:
        """Give back what was changed.

        Args:
            keep: What somebody else relies on meanwhile.
        """
        for name, entry in self._read().items():
            # Who changed it after us wants it so.
            if name not in keep and self._get(name) == entry["new"]:
                self._set(name, entry["old"])
                for beside, old in entry.get("beside", {}).items():
                    if (self._root / beside).exists() and self._get(beside) != old:
                        self._set(beside, old)
        self._ledger.unlink(missing_ok=True)

    def _beside(self) -> dict[str, str]:
        """Return what the kernel changes together with forwarding, each time it changes."""
        folder = self._root / "net/ipv4/conf"
        found = [folder / "all/accept_redirects", *folder.glob("*/forwarding")]
        names = (path.relative_to(self._root).as_posix() for path in found)
        # That of `all` is forwarding itself.
        return {name: self._get(name) for name in names if name != "net/ipv4/conf/all/forwarding"}

    def _get(self, name: str) -> str:
        return (self._root / name).read_text().strip()

    def _set(self, name: str, value: str) -> None:
        (self._root / name).write_text(value)

    def _read(self) -> dict[str, Any]:
        try:
            ledger: dict[str, Any] = json.loads(self._ledger.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            # Half a ledger: nothing was changed yet.
            return {}
        # A restart of the machine has given everything back.
        values: dict[str, Any] = ledger["values"]
        return values if ledger["boot"] == BOOT.read_text() else {}

    def _write(self, values: dict[str, Any]) -> None:
        beside = self._ledger.with_suffix(".new")
        beside.write_text(json.dumps({"boot": BOOT.read_text(), "values": values}))
        beside.replace(self._ledger)
