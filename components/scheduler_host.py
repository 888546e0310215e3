"""The scheduler's machine: an Auto Scaling group of one, so that it comes back by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_aws import autoscaling

from components.aws import CLUSTER_TAG
from components.boot import BOOT_HOOK
from components.launch_template import Machine, create_launch_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A boot that has not said anything by then has failed.
BOOT_SECONDS = 600
# An instance that is still booting ends when its hook does; then EC2 takes its own time.
DELETE_SECONDS = 2 * BOOT_SECONDS


class SchedulerHost(pulumi.ComponentResource):
    """One machine on demand. Another launch template is another group, and shows as such.

    A new scheduler ends the running work: it must be seen in a preview and never come by an
    instance refresh in the background.

    Attributes:
        group: Name of its Auto Scaling group.
        revision: Changes with the scheduler.
        ready: What workers depend on.
    """

    group: pulumi.Output[str]
    revision: pulumi.Output[str]
    ready: pulumi.Resource

    def __init__(
        self,
        name: str,
        *,
        autoscaling_group: str,
        machine: Machine,
        subnet_ids: Sequence[pulumi.Input[str]],
        common_tags: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Start the scheduler's machine.

        Args:
            name: Prefix of its resources' names, and the machine's name.
            autoscaling_group: Name of its group on AWS.
            machine: What it is.
            subnet_ids: Where it may be.
            common_tags: The tags of the whole cluster.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:SchedulerHost", name, None, opts)
        template = create_launch_template(
            name,
            machine=machine,
            cluster=common_tags[CLUSTER_TAG],
            opts=pulumi.ResourceOptions(parent=self),
        )
        version = template.latest_version.apply(str)
        group = autoscaling.Group(
            name,
            name=autoscaling_group,
            min_size=0,
            max_size=1,
            desired_capacity=1,
            vpc_zone_identifiers=list(subnet_ids),
            launch_template=autoscaling.GroupLaunchTemplateArgs(id=template.id, version=version),
            health_check_type="EC2",
            initial_lifecycle_hooks=[
                autoscaling.GroupInitialLifecycleHookArgs(
                    name=BOOT_HOOK,
                    lifecycle_transition="autoscaling:EC2_INSTANCE_LAUNCHING",
                    heartbeat_timeout=BOOT_SECONDS,
                    default_result="ABANDON",
                )
            ],
            # It has no data to hand over, and one that hangs in its boot would hold a destroy up.
            force_delete=True,
            # `Ready` waits, and can say why a boot failed.
            wait_for_capacity_timeout="0",
            tags=group_tags({**common_tags, "Name": name, "dask-cluster:group": "scheduler"}),
            opts=pulumi.ResourceOptions(
                parent=self,
                replace_on_changes=["launchTemplate"],
                # Two schedulers would answer to one name.
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(delete=f"{DELETE_SECONDS}s"),
            ),
        )
        self.group = group.name
        self.revision = pulumi.Output.concat(template.id, ":", version)
        self.ready = group
        self.register_outputs({})


def group_tags(
    propagated: Mapping[str, str], own: Mapping[str, str] | None = None
) -> list[autoscaling.GroupTagArgs]:
    """Return the tags of an Auto Scaling group: those its machines get too, and its own."""
    return [
        autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=passed_on)
        for tags, passed_on in ((propagated, True), (own or {}, False))
        for key, value in tags.items()
    ]
