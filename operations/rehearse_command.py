"""The command ``rehearse``: what each action does, and what a person sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.display import Display
from operations import rehearsed
from operations.rehearse import Action, Asked, folder_of
from operations.stacks import COMMAND, WRONG_SETTINGS, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from operations.rehearse import Rehearsal
    from operations.stacks import Opened


def run(
    console: Console,
    opened: Opened,
    action: Action,
    *,
    asked: Asked,
    ask: Callable[[str], None] | None,
) -> bool:
    """Do something with a rehearsal; return whether it went well.

    Args:
        console: Where to print.
        opened: The stack.
        action: What to do.
        asked: What its cloud has to be.
        ask: Asks a question, and ends the command if the answer is no; None: yes to all.

    Raises:
        SettingsError: The stack file is wrong.
        CommandError: There is no rehearsal, or it cannot be.
    """
    _refuse_asked(opened.name, action, asked)
    if action is Action.DESTROY and not folder_of(opened).exists():
        console.print(f"Stack {opened.name} is not rehearsed: nothing to destroy.")
        return True
    rehearsal = rehearsed.of(opened)
    if action is Action.DESTROY:
        return _end(console, rehearsal, ask)
    rehearsal.settings()
    if action is Action.SWEEP:
        return rehearsed.sweep(console, rehearsal, ask=ask or (lambda _question: None))
    if action is Action.UP and not _up(console, rehearsal, asked, ask):
        return False
    return rehearsed.show(console, rehearsal)


def _refuse_asked(name: str, action: Action, asked: Asked) -> None:
    if action is Action.UP:
        return
    for option, given, what in (
        ("--hosts", asked.hosts, "hosts"),
        ("--context", asked.context, "Kubernetes"),
    ):
        if given:
            raise CommandError(
                f"`{option}` belongs to `up`, and a rehearsal keeps its {what} to its end. Type:\n"
                f"  {COMMAND} rehearse {name} {action}",
                WRONG_SETTINGS,
            )


def _up(
    console: Console, rehearsal: Rehearsal, asked: Asked, ask: Callable[[str], None] | None
) -> bool:
    wanted = rehearsal.choose(asked)
    if (line := rehearsal.prepare(wanted)) is not None:
        console.print(line)
    inside = rehearsal.begin(asked, say=_saying(console))
    if ask is not None:
        if not inside.preview(listener=Display(console, kind="preview")).ok:
            return False
        ask("Perform this update, on this machine?")
    return rehearsal.up(console, inside).ok


def _saying(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(f"  {line}", markup=False, style="dim")


def _end(console: Console, rehearsal: Rehearsal, ask: Callable[[str], None] | None) -> bool:
    inside = rehearsal.begin(end=True, say=_saying(console))
    if inside.exists and ask is not None:
        ask(f"Destroy {len(inside.resources())} resources of this rehearsal?")
    if not inside.destroy(listener=Display(console, kind="destroy")).ok:
        return False
    if left := rehearsal.left():
        console.print(f"[red]Left behind, {len(left)} in all:[/red]")
        for line in left:
            console.print(f"  {line}", markup=False)
        sweep = f"{COMMAND} rehearse {rehearsal.name} sweep"
        console.print(f"`{sweep}` deletes what has the stack's {rehearsal.mark}.")
        return False
    rehearsal.end(lambda line: console.print(line, markup=False))
    console.print(rehearsal.farewell)
    return True
