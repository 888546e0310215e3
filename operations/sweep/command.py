"""The command on AWS: where to look, and what must not be deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations import aws, sweep, sweeping
from operations.stacks import COMMAND, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from operations.aws import Clients
    from operations.sweep.kinds import Scope


def run(
    console: Console,
    cluster: str,
    region: str,
    *,
    ask: Callable[[str], None],
    session: Callable[[str], Clients] = aws.session,
    quiet: float = sweeping.QUIET_SECONDS,
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
    return sweeping.run(
        console,
        sweep.sorts_of(scope, clients),
        where=f"{cluster} in account {scope.account}, {region}",
        mark="tag",
        running="instance",
        ask=ask,
        quiet=quiet,
        check=lambda: _refuse_namesake(scope, clients, session),
    )


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
