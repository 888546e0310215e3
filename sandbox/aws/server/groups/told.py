"""What is told of the instances of groups, such as to guests."""

from sandbox.aws.server.events import Event, Kind
from sandbox.aws.server.groups.model import Group, Member
from sandbox.aws.server.groups.templates import ec2
from sandbox.aws.server.world import WORLD


def tell(kind: Kind, group: Group, member: Member) -> None:
    """Tell of a member, if anybody listens."""
    if not WORLD.events.wanted:
        return
    instance = member.instance
    data = instance.user_data
    WORLD.events.tell(
        Event(
            kind=kind,
            region=group.region,
            group=group.name,
            instance=member.id,
            address=str(instance.private_ip),
            hooks=tuple(member.waits),
            tags=dict(ec2(group.region).tags.get(member.id, {})),
            user_data=data.decode() if kind == "running" and data is not None else "",
        )
    )
