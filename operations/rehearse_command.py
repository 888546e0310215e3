"""The command ``rehearse``: what each action does, and what a person sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.display import Display
from engine.events import Outputs, Summary
from operations import rehearsed
from operations.rehearse import Action, Rehearsal
from operations.rehearsed_hosts import Boots, unlike
from operations.stacks import COMMAND, WRONG_SETTINGS, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from engine import Event, Result, Stack
    from operations.stacks import Opened


def run(
    console: Console,
    opened: Opened,
    action: Action,
    *,
    hosts: bool,
    ask: Callable[[str], None] | None,
) -> bool:
    """Do something with a rehearsal; return whether it went well.

    Args:
        console: Where to print.
        opened: The stack.
        action: What to do.
        hosts: Whether its instances have to be hosts.
        ask: Asks a question, and ends the command if the answer is no; None: yes to all.

    Raises:
        SettingsError: The stack file is wrong.
        CommandError: There is no rehearsal, or it cannot be.
    """
    rehearsal = Rehearsal(opened)
    if hosts and action is not Action.UP:
        raise CommandError(
            f"`--hosts` belongs to `up`, and a rehearsal keeps its hosts to its end. Type:\n"
            f"  {COMMAND} rehearse {rehearsal.name} {action}",
            WRONG_SETTINGS,
        )
    if action is Action.DESTROY:
        return _end(console, rehearsal, ask)
    rehearsal.check()
    if action is Action.SWEEP:
        return rehearsed.sweep(console, rehearsal, ask=ask or (lambda _question: None))
    if action is Action.UP and not _up(console, rehearsal, hosts=hosts, ask=ask):
        return False
    return rehearsed.show(console, rehearsal)


def _up(
    console: Console, rehearsal: Rehearsal, *, hosts: bool, ask: Callable[[str], None] | None
) -> bool:
    real = rehearsal.choose(hosts=hosts) == "hosts"
    if real and (wrong := unlike(rehearsal.settings())):
        raise CommandError(
            f"stack `{rehearsal.name}` cannot be rehearsed with hosts:\n"
            + "".join(f"  {each}\n" for each in wrong)
            + "Take it out of the stack file, or rehearse without `--hosts`.",
            WRONG_SETTINGS,
        )
    if real and not rehearsal.runs:
        console.print("Starting an AWS with hosts: the first one on a machine takes minutes.")
    inside = rehearsal.begin(
        hosts=hosts, say=lambda line: console.print(f"  {line}", markup=False, style="dim")
    )
    if ask is not None:
        if not inside.preview(listener=Display(console, kind="preview")).ok:
            return False
        ask("Perform this update, on this machine?")
    if real:
        return _up_with_hosts(console, inside, rehearsal.endpoint).ok
    return inside.up(listener=Display(console, kind="up")).ok


def _up_with_hosts(console: Console, inside: Stack, endpoint: str) -> Result:
    display = Display(console, kind="up")
    with Boots(console, endpoint) as boots:

        def listen(event: Event) -> None:
            # What comes now is a table, which no other line may be in.
            if isinstance(event, Outputs | Summary):
                boots.end()
            display(event)

        return inside.up(listener=listen)


def _end(console: Console, rehearsal: Rehearsal, ask: Callable[[str], None] | None) -> bool:
    if not rehearsal.exists:
        console.print(f"Stack {rehearsal.name} is not rehearsed: nothing to destroy.")
        return True
    inside = rehearsal.begin(end=True)
    if inside.exists and ask is not None:
        ask(f"Destroy {len(inside.resources())} resources of this rehearsal?")
    if not inside.destroy(listener=Display(console, kind="destroy")).ok:
        return False
    if left := rehearsal.left():
        console.print(f"[red]Left behind, {len(left)} in all:[/red]")
        for item in left:
            console.print(f"  {item.service} {item.type} {item.id}", markup=False)
        sweep = f"{COMMAND} rehearse {rehearsal.name} sweep"
        console.print(f"`{sweep}` deletes what has the stack's tag.")
        return False
    rehearsal.end(lambda line: console.print(line, markup=False))
    console.print("Its AWS was as empty as before, and has ended.")
    return True
