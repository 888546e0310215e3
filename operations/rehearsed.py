"""What a person does with a rehearsed cluster: looks at it, checks it, works beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operations import aws, machines, machines_doctor, on_aws, rehearsed_hosts, remote
from operations.stacks import COMMAND, WRONG_SETTINGS, CommandError
from sandbox.aws.server import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from operations.rehearse import Rehearsal
    from operations.rehearsed_hosts import Hosts


def show(console: Console, rehearsal: Rehearsal, *, as_json: bool = False) -> bool:
    """Show the cluster; return whether nothing is wrong with it.

    Raises:
        CommandError: There is none.
    """
    well = on_aws.show(console, rehearsal.name, _outputs(rehearsal), as_json=as_json)
    if not as_json:
        _show_what_it_is(console, rehearsal)
    return well


def findings(rehearsal: Rehearsal) -> Iterator[tuple[bool, str]]:
    """Yield each check of the cluster: whether it is well, and a line that says what was seen.

    Raises:
        CommandError: There is none.
    """
    found = _outputs(rehearsal)
    view = machines.look(found, aws.session(found["region"]))
    yield from machines_doctor.findings(found, view, reachable=rehearsal.has_hosts)
    if rehearsal.has_hosts:
        yield from rehearsed_hosts.findings(_hosts(rehearsal))


def run(rehearsal: Rehearsal, words: Sequence[str]) -> int:
    """Run a command beside the cluster, as beside one on AWS; return its exit code.

    Raises:
        CommandError: There is none, or nothing runs in it.
    """
    rehearsal.require()
    name = rehearsal.name
    if not rehearsal.has_hosts:
        raise CommandError(
            f"the rehearsal of `{name}` has no hosts: its instances are records, and no scheduler "
            f"runs on them. For one with hosts:\n{rehearsal.anew()}",
            WRONG_SETTINGS,
        )
    again = f"{COMMAND} rehearse {name} up"
    if not rehearsal.runs:
        raise CommandError(
            f"the AWS of the rehearsal of `{name}` does not run any more, and its hosts ended with "
            f"it. To make them again: `{again}`."
        )
    typed = remote.Typed(up=again, status=f"{COMMAND} rehearse {name} status")
    return on_aws.beside(rehearsal.opened, _outputs(rehearsal), words, typed)


def sweep(console: Console, rehearsal: Rehearsal, *, ask: Callable[[str], None]) -> bool:
    """Delete what bears the cluster's tag; return whether nothing of it is left.

    Raises:
        SettingsError: The stack file is wrong; it says in which region to look.
        CommandError: There is no rehearsal.
    """
    rehearsal.require()
    rehearsal.begin()
    return on_aws.sweep(console, rehearsal.opened, ask=ask)


def _outputs(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return the outputs of the cluster; from here on this process knows its AWS only.

    Raises:
        CommandError: There is none.
    """
    rehearsal.require()
    found = rehearsal.begin().outputs(show_secrets=True)
    if "groups" not in found:
        raise CommandError(f"the rehearsal of `{rehearsal.name}` is half made: run its `up` again.")
    return found


def _hosts(rehearsal: Rehearsal) -> Hosts:
    try:
        return rehearsed_hosts.look(rehearsal.endpoint)
    except ServerError as error:
        raise CommandError(str(error)) from error


def _show_what_it_is(console: Console, rehearsal: Rehearsal) -> None:
    things = f"  A rehearsal: {len(rehearsal.left())} things exist in an AWS on this machine. Its\n"
    if not rehearsal.has_hosts:
        console.print(
            f"\n{things}  instances are records; what they would report of their boot is pretended."
        )
        return
    hosts = _hosts(rehearsal)
    rehearsed_hosts.show(console, hosts)
    console.print(f"\n{things}  instances are hosts here. A command beside them, a look into one:")
    command = f"    {COMMAND} run {rehearsal.name} --rehearsal -- COMMAND"
    console.print(command, markup=False, soft_wrap=True)
    rehearsed_hosts.show_way_in(console, hosts)
