"""What a person does with a rehearsed cluster: looks at it, checks it, works beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.places import PLACES
from operations.rehearse import folder_of
from operations.rehearse_aws import AwsRehearsal
from operations.rehearse_kubernetes import KubernetesRehearsal
from operations.stacks import COMMAND, LOCAL, WRONG_SETTINGS, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from operations.rehearse import Rehearsal
    from operations.stacks import Opened

KINDS: tuple[type[Rehearsal], ...] = (AwsRehearsal, KubernetesRehearsal)


def of(opened: Opened) -> Rehearsal:
    """Return the rehearsal of a stack: the one that has begun, or the one that it would be.

    Raises:
        SettingsError: The stack file is wrong, and nothing has begun.
        CommandError: There is no cloud in it, or what a rehearsal needs is not installed.
    """
    folder = folder_of(opened)
    begun = [kind for kind in KINDS if (folder / kind.kept_file).exists()]
    # From before there were others, and before the cloud was written down.
    if not begun and folder.exists():
        begun = [AwsRehearsal]
    if begun:
        return begun[0](opened)
    if opened.platform == LOCAL:
        opened.settings()
        raise CommandError(
            f"stack `{opened.name}` runs on this machine anyway: `{COMMAND} up {opened.name}`.",
            WRONG_SETTINGS,
        )
    (kind,) = (kind for kind in KINDS if kind.platform == opened.platform)
    return kind(opened)


def show(console: Console, rehearsal: Rehearsal, *, as_json: bool = False) -> bool:
    """Show the cluster; return whether nothing is wrong with it.

    Raises:
        CommandError: There is none.
    """
    well = PLACES[rehearsal.platform].show(console, rehearsal.cluster(), as_json=as_json)
    if not as_json:
        rehearsal.show_what_it_is(console)
    return well


def findings(rehearsal: Rehearsal) -> Iterator[tuple[bool, str]]:
    """Yield each check of the cluster: whether it is well, and a line that says what was seen.

    Raises:
        CommandError: There is none.
    """
    yield from PLACES[rehearsal.platform].findings(rehearsal.cluster())
    yield from rehearsal.findings()


def run(rehearsal: Rehearsal, words: Sequence[str]) -> int:
    """Run a command beside the cluster, as beside a real one; return its exit code.

    Raises:
        CommandError: There is none, or nothing runs in it.
    """
    rehearsal.require()
    rehearsal.require_way_in()
    return PLACES[rehearsal.platform].run(rehearsal.cluster(), words)


def sweep(console: Console, rehearsal: Rehearsal, *, ask: Callable[[str], None]) -> bool:
    """Delete what bears the cluster's tag or labels; return whether nothing of it is left.

    Raises:
        SettingsError: The stack file is wrong; it says where to look.
        CommandError: There is no rehearsal.
    """
    rehearsal.require()
    rehearsal.enter()
    return PLACES[rehearsal.platform].sweep(console, rehearsal.opened, ask=ask)
