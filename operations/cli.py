"""The ``dask-cluster`` command: local stacks on the embedded engine, and a look at any of them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from components.settings import SettingsError
from engine import EngineError
from engine.display import Display
from operations import into_pods, pulumi_cli, rehearse_command, rehearsed, screen
from operations.clusters import open_cluster
from operations.places import PLACES
from operations.rehearse import Action, Asked, Rehearsal
from operations.stacks import (
    COMMAND,
    ERROR,
    LOCAL,
    UNEXPECTED_CHANGES,
    WRONG_SETTINGS,
    CommandError,
    Opened,
    open_stack,
)
from operations.view import look

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine import Result

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Dask clusters from stack files.\n\nExit codes: 0 done, 1 failed, 2 wrong command or "
    "settings, 6 no such stack, 7 changes where none were expected.",
)
# Names of AWS have parts such as `:secret:`, which are not meant as emoji.
out = Console(highlight=False, emoji=False, soft_wrap=not sys.stdout.isatty())
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

StackName = Annotated[str, typer.Argument(metavar="STACK", help="For example: local")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
InRehearsal = Annotated[
    bool, typer.Option("--rehearsal", help="The one of `rehearse STACK up`, not the real one.")
]
ShowSecrets = Annotated[bool, typer.Option("--show-secrets", help="Print secrets in clear.")]


def main() -> None:
    """Run the command and end the process with its exit code."""
    try:
        app()
    except CommandError as error:
        _fail(error, error.code)
    except SettingsError as error:
        _fail(error, WRONG_SETTINGS)
    except EngineError as error:
        _fail(error, ERROR)


def _fail(error: Exception, code: int) -> None:
    err.print("[red]error:[/red] ", end="")
    err.print(str(error), markup=False)
    sys.exit(code)


@app.command()
def up(stack: StackName, *, yes: Yes = False) -> None:
    """Make the cluster what the stack file says, and show it."""
    opened = open_stack(stack)
    pulumi_cli.refuse(opened, "up")
    opened.settings()
    if not yes:
        _finish(opened.stack.preview(listener=Display(out, kind="preview")))
        _ask("Perform this update?")
    _finish(opened.stack.up(listener=Display(out, kind="up")))
    outputs = opened.outputs()
    view = look(outputs)
    screen.show(out, stack, outputs, view)
    if screen.faults(view):
        raise typer.Exit(ERROR)
    screen.show_next(out, stack)


@app.command()
def preview(
    stack: StackName,
    *,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Exit with 7 if there are any.")
    ] = False,
) -> None:
    """Show what `up` would do; nothing is changed."""
    opened = open_stack(stack)
    pulumi_cli.refuse(opened, "preview")
    opened.settings()
    result = opened.stack.preview(listener=Display(out, kind="preview"))
    _finish(result)
    if expect_no_changes and set(result.changes) - {"same"}:
        raise typer.Exit(UNEXPECTED_CHANGES)


@app.command()
def refresh(stack: StackName) -> None:
    """Read what is really there into the state."""
    opened = open_stack(stack)
    pulumi_cli.refuse(opened, "refresh")
    _finish(opened.stack.refresh(listener=Display(out, kind="refresh")))


@app.command()
def destroy(stack: StackName, *, yes: Yes = False) -> None:
    """Take the cluster down; nothing of it is left."""
    opened = open_stack(stack)
    pulumi_cli.refuse(opened, "destroy")
    if not opened.stack.exists:
        opened.stack.destroy()  # an `up` that was killed early may have left an empty folder
        out.print(f"Stack {stack} is not up: nothing to destroy.")
        return
    if not yes:
        _ask(f"Destroy {len(opened.stack.resources())} resources of stack {stack}?")
    _finish(opened.stack.destroy(listener=Display(out, kind="destroy")))


@app.command()
def outputs(
    stack: StackName, *, as_json: AsJson = False, show_secrets: ShowSecrets = False
) -> None:
    """Print the outputs of a stack."""
    opened = open_stack(stack)
    if opened.platform == LOCAL:
        opened.require_up()
        found = opened.stack.outputs(show_secrets=show_secrets)
    else:
        found = pulumi_cli.outputs(opened, show_secrets=show_secrets)
    if as_json:
        _print_json(found)
        return
    width = max(map(len, found), default=0)
    for key, value in found.items():
        out.print(f"{key.ljust(width)}  {value}", markup=False)


@app.command()
def export(stack: StackName, *, show_secrets: ShowSecrets = False) -> None:
    """Print the state in the form that `pulumi stack import` takes."""
    opened = open_stack(stack)
    pulumi_cli.refuse(opened, "stack export")
    opened.require_up()
    _print_json(opened.stack.export(show_secrets=show_secrets))


@app.command()
def status(stack: StackName, *, rehearsal: InRehearsal = False, as_json: AsJson = False) -> None:
    """Show the scheduler, the workers and what is wrong with them; exit with 1 if something is."""
    opened = open_stack(stack)
    if rehearsal:
        well = rehearsed.show(out, _rehearsal(opened), as_json=as_json)
    else:
        well = PLACES[opened.platform].show(out, open_cluster(opened), as_json=as_json)
    if not well:
        raise typer.Exit(ERROR)


@app.command()
def doctor(stack: StackName, *, rehearsal: InRehearsal = False) -> None:
    """Check a running cluster one thing at a time; exit with 1 if something is wrong."""
    opened = open_stack(stack)
    if rehearsal:
        findings = rehearsed.findings(_rehearsal(opened))
    else:
        findings = PLACES[opened.platform].findings(open_cluster(opened))
    well = True
    for good, line in findings:
        well = well and good
        out.print("  [green]ok[/green]  " if good else "  [red]no[/red]  ", end="")
        out.print(line, markup=False)
    if not well:
        raise typer.Exit(ERROR)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    stack: StackName,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...")],
    *,
    rehearsal: InRehearsal = False,
) -> None:
    """Run a command in the cluster's environment, where a bare `Client()` connects.

    For example: dask-cluster run local -- python my_analysis.py
    """
    # What follows the stack's name is the command's, but for this one.
    rehearsal = rehearsal or command[0] == "--rehearsal"
    words = command[command[0] == "--rehearsal" :]
    words = words[words[:1] == ["--"] :]
    if not words:
        raise CommandError(f"what is to be run? {COMMAND} run {stack} -- COMMAND", WRONG_SETTINGS)
    opened = open_stack(stack)
    if rehearsal:
        raise typer.Exit(rehearsed.run(_rehearsal(opened), words))
    raise typer.Exit(PLACES[opened.platform].run(open_cluster(opened), words))


@app.command()
def jupyter(stack: StackName, *, rehearsal: InRehearsal = False) -> None:
    """Open the JupyterLab of a cluster on Kubernetes, and print its address; until Ctrl-C."""
    opened = open_stack(stack)
    if opened.platform != "kubernetes":
        raise CommandError(
            f"stack `{stack}` is not on Kubernetes, and has no JupyterLab of its own. Here: add "
            f'`"jupyterlab>=4"` to `packages`, and then {COMMAND} run {stack} -- jupyter lab',
            WRONG_SETTINGS,
        )
    into_pods.jupyter(_rehearsal(opened).cluster() if rehearsal else open_cluster(opened))


@app.command()
def sweep(stack: StackName, *, yes: Yes = False) -> None:
    """Delete what bears the tag, or the labels, of a cluster: what is left where Pulumi lost track.

    For after `pulumi destroy`: it knows nothing of Pulumi's state, and deletes what is up too.
    """
    opened = open_stack(stack)
    opened.settings()
    if not PLACES[opened.platform].sweep(out, opened, ask=_asker(yes=yes)):
        raise typer.Exit(ERROR)


@app.command()
def rehearse(
    stack: StackName,
    action: Annotated[Action, typer.Argument(help="What to do with the rehearsal.")],
    *,
    hosts: Annotated[
        bool, typer.Option("--hosts", help="`up`: instances are hosts that boot, here; as root.")
    ] = False,
    context: Annotated[
        str | None,
        typer.Option(
            "--context",
            metavar="NAME",
            help="`up`: a Kubernetes of yours on this machine, by its context, not one of ours.",
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Rehearse a stack on this machine, without account or cluster: its program, unmodified.

    Its AWS, or its Kubernetes, goes on running between two commands; `destroy` ends it.
    """
    opened, ask, asked = open_stack(stack), None if yes else _ask, Asked(hosts, context)
    if not rehearse_command.run(out, opened, action, asked=asked, ask=ask):
        raise typer.Exit(ERROR)


def _rehearsal(opened: Opened) -> Rehearsal:
    rehearsal = rehearsed.of(opened)
    rehearsal.settings()
    return rehearsal


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to answer: add --yes.", WRONG_SETTINGS)
    typer.confirm(question, abort=True)


def _asker(*, yes: bool) -> Callable[[str], None]:
    return (lambda _question: None) if yes else _ask


def _finish(result: Result) -> None:
    if not result.ok:
        raise typer.Exit(ERROR)


def _print_json(value: object) -> None:
    out.print(json.dumps(value, indent=2), markup=False, soft_wrap=True)
