"""The command: what is there, the question, what went and what did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations import aws, sweep
from operations.stacks import COMMAND, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from operations.aws import Clients
    from operations.sweep import Refused
    from operations.sweep.kinds import Left, Scope


def run(
    console: Console,
    cluster: str,
    region: str,
    *,
    ask: Callable[[str], None],
    session: Callable[[str], Clients] = aws.session,
    quiet: float = sweep.QUIET_SECONDS,
) -> bool:
    """Show what bears the cluster's tag, and delete it if the person wants that.

    Pulumi's state is neither read nor changed.

    Args:
        console: Where to print.
        cluster: The stack's name.
        region: Its region.
        ask: Asks a question, and ends the command if the answer is no.
        session: Gives the clients of a region.
        quiet: How long what AWS refuses is tried again.

    Returns:
        Whether nothing is left.

    Raises:
        CommandError: AWS does not answer, or a cluster of that name runs in another region.
    """
    clients = session(region)
    scope = sweep.scope_of(cluster, region, clients)
    where = f"{cluster} in account {scope.account}, {region}"
    left, unseen = sweep.find(scope, clients)
    if not left and not unseen:
        console.print(f"Nothing bears the tag of {where}.", markup=False)
        return True
    _show(console, left)
    if left:
        _refuse_namesake(scope, clients, session)
        ask(f"Delete {_count(left)} of {where}, data and all?")
    refused = sweep.delete(
        scope, clients, deleted=lambda each: _line(console, "-", each), quiet=quiet
    )
    if not refused:
        console.print(f"\nNothing is left of {where}.", markup=False)
        return True
    _show_refused(console, refused)
    return False


def _refuse_namesake(scope: Scope, clients: Clients, session: Callable[[str], Clients]) -> None:
    """Refuse while a cluster of the same name runs in another region of the account.

    Roles, buckets, zones and budgets are of no region: they would be taken from it.

    Raises:
        CommandError: There is one.
    """
    with aws.calling("looking into other regions"):
        regions = [
            each["RegionName"] for each in clients.client("ec2").describe_regions()["Regions"]
        ]
        for region in sorted(set(regions) - {scope.region}):
            if sweep.has_groups(scope, session(region)):
                raise CommandError(
                    f"a cluster `{scope.cluster}` is up in {region} of this account too, and its "
                    "roles, bucket, zone and budget bear the same tag. Destroy that one first, or "
                    f"delete by hand what `{COMMAND} sweep {scope.cluster}` has listed."
                )


def _show(console: Console, left: Sequence[Left]) -> None:
    for each in left:
        _line(console, " ", each)
    if left:
        console.print()


def _show_refused(console: Console, refused: Sequence[Refused]) -> None:
    console.print(f"\n[red]Left, {len(refused)} in all:[/red]")
    for each in refused:
        _line(console, "!", each.left)
        console.print(f"      {each.why}", markup=False, emoji=False)
    console.print("Remove what holds them, and run this again.")


def _line(console: Console, mark: str, left: Left) -> None:
    # An ARN may have `:secret:` in it, which is an emoji to rich.
    console.print(f" {mark}  {left.kind:<20} {left.id}", markup=False, emoji=False)


def _count(left: Sequence[Left]) -> str:
    machines = sum(each.kind == "instance" for each in left)
    running = f" ({machines} of them instances)" if machines else ""
    return f"{len(left)} thing{'s' * (len(left) != 1)}{running}"
