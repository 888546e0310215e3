"""What an Auto Scaling group consists of, and where all groups are kept."""

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models.instances import Instance
from moto.utilities.utils import get_partition

from sandbox.aws.server.clock import timestamp
from sandbox.aws.server.failure import AwsError

Market: TypeAlias = Literal["on-demand", "spot"]
Tag: TypeAlias = dict[str, Any]

LAUNCHING: Final = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING: Final = "autoscaling:EC2_INSTANCE_TERMINATING"
# Seconds; see "Lifecycle hook quotas" of the Auto Scaling guide: 48 hours or 100 heartbeats.
LONGEST_WAIT: Final = 172_800
MOST_HEARTBEATS: Final = 100
# AWS keeps activities for six weeks; so many of a group are plenty here.
_KEPT_ACTIVITIES: Final = 10_000


@dataclass(eq=False)
class Hook:
    """A lifecycle hook; times in seconds."""

    name: str
    transition: str
    heartbeat: int = 3600
    default_result: str = "ABANDON"
    role: str | None = None
    target: str | None = None
    metadata: str | None = None

    @property
    def limit(self) -> int:
        """The longest that an instance waits, whatever heartbeats come."""
        return min(LONGEST_WAIT, MOST_HEARTBEATS * self.heartbeat)


@dataclass(eq=False)
class Wait:
    """One instance that waits for one hook.

    Attributes:
        hook: The hook.
        token: Names this wait in calls.
        deadline: When its default result is taken, in the clock's seconds.
        last: When no heartbeat helps any more.
        over: Called when this was the last wait of its transition.
        abandoned: Called with the reason if the launch is abandoned.
    """

    hook: Hook
    token: str
    deadline: float
    last: float
    over: Callable[[], None]
    abandoned: Callable[[str], None]


@dataclass(eq=False)
class Activity:
    """One scaling activity, as DescribeScalingActivities shows it."""

    description: str
    cause: str
    details: str = "{}"
    status: str = "PreInService"
    message: str | None = None
    progress: int = 30
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: datetime = field(default_factory=timestamp)
    ended: datetime | None = None

    def end(self, status: str, message: str | None = None) -> None:
        """Note that it is over."""
        self.status, self.progress, self.ended = status, 100, timestamp()
        self.message = message or self.message


@dataclass(frozen=True)
class Template:
    """A launch template at one version."""

    id: str
    name: str
    version: int


@dataclass(eq=False)
class Member:
    """An instance of a group.

    Attributes:
        instance: moto's instance.
        template: What it was launched from.
        market: Where it was bought.
        activity: What is going on with it, or went on last.
        launched: When, in the clock's seconds.
        state: Its lifecycle state.
        healthy: As EC2 or a caller last said.
        protected: From scale-in.
        served: Since when it is in service, in the clock's seconds.
        waits: The hooks that it waits for, by name.
    """

    instance: Instance
    template: Template
    market: Market
    activity: Activity
    launched: float
    state: str = "Pending"
    healthy: bool = True
    protected: bool = False
    served: float | None = None
    waits: dict[str, Wait] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The instance's id."""
        return str(self.instance.id)

    @property
    def zone(self) -> str:
        """Its Availability Zone."""
        return str(self.instance.placement.zone)

    @property
    def ending(self) -> bool:
        """Whether it no longer counts towards the capacity."""
        return self.state.startswith("Terminating")


@dataclass(eq=False)
class Refresh:
    """One instance refresh."""

    preferences: dict[str, Any]
    desired: dict[str, Any] | None
    todo: set[str]
    total: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    reason: str | None = None
    started: datetime = field(default_factory=timestamp)
    ended: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether it still replaces instances."""
        return self.status in {"Pending", "InProgress", "Cancelling"}


@dataclass(eq=False)
class Group:
    """An Auto Scaling group.

    Attributes:
        settings: What callers set and Describe shows as it is, by the API's names.
        subnets: The subnets' ids, in the order given, each with its zone.
        suspended: Suspended processes with the reason.
        ending: Ids of members that no longer count.
        unhealthy: Ids of members that are to be replaced.
        status: "Delete in progress" once it is being deleted.
        backoff: Seconds until launches are tried again after one failed.
        blocked: Until when none is tried, in the clock's seconds.
        cooled: When the cooldown of the last scaling is over, in the clock's seconds.
        awake: Whether a step of it is due already.
        generation: Counts launches, so that a failed one is retried once.
    """

    region: str
    name: str
    settings: dict[str, Any]
    min: int
    max: int
    desired: int
    subnets: dict[str, str]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: datetime = field(default_factory=timestamp)
    hooks: dict[str, Hook] = field(default_factory=dict)
    tags: list[Tag] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    suspended: dict[str, str] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    ending: set[str] = field(default_factory=set)
    unhealthy: set[str] = field(default_factory=set)
    activities: deque[Activity] = field(default_factory=lambda: deque(maxlen=_KEPT_ACTIVITIES))
    refreshes: list[Refresh] = field(default_factory=list)
    status: str | None = None
    backoff: float = 0.0
    blocked: float = 0.0
    cooled: float = 0.0
    awake: bool = False
    extra: int = 0

    @property
    def arn(self) -> str:
        """Its ARN."""
        return (
            f"arn:{get_partition(self.region)}:autoscaling:{self.region}:{DEFAULT_ACCOUNT_ID}"
            f":autoScalingGroup:{self.id}:autoScalingGroupName/{self.name}"
        )

    @property
    def active(self) -> int:
        """How many members count towards the capacity."""
        return len(self.members) - len(self.ending)

    @property
    def target(self) -> int:
        """How many are wanted at this moment, with one more while zones are made even."""
        return self.desired + self.extra

    def hooks_of(self, transition: str) -> list[Hook]:
        """Return the hooks of a transition."""
        return [hook for hook in self.hooks.values() if hook.transition == transition]


@dataclass(eq=False)
class Policy:
    """A scaling policy."""

    group: str
    name: str
    settings: dict[str, Any]
    arn: str


@dataclass
class Region:
    """Everything of Auto Scaling in one region."""

    name: str
    groups: dict[str, Group] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    members: dict[str, tuple[Group, Member]] = field(default_factory=dict)
    gone: list[Group] = field(default_factory=list)

    def group(self, name: str) -> Group:
        """Return a group.

        Raises:
            AwsError: There is none of that name.
        """
        try:
            return self.groups[name]
        except KeyError as error:
            message = f"AutoScalingGroup name not found - AutoScalingGroup {name} not found"
            raise invalid(message) from error

    def member(self, instance_id: str) -> tuple[Group, Member]:
        """Return an instance and its group.

        Raises:
            AwsError: No group has it.
        """
        try:
            return self.members[instance_id]
        except KeyError as error:
            raise invalid(
                f"Instance Id not found - No managed instance found for instance ID: {instance_id}"
            ) from error


REGIONS: Final[dict[str, Region]] = {}


def region(name: str) -> Region:
    """Return a region, made at its first use."""
    return REGIONS.setdefault(name, Region(name))


def invalid(message: str) -> AwsError:
    """Return Auto Scaling's error for nearly everything that is wrong."""
    return AwsError("ValidationError", message)
