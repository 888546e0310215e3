"""Who is told when something is wrong or dear: a topic, its readers, and the monthly budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_aws import budgets, sns

from components.aws import CLUSTER_TAG
from components.policy_documents import document

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of the month's budget: told in time, and told when it is spent.
_THRESHOLDS = (80, 100)


class Notices(pulumi.ComponentResource):
    """A topic for alarms, with mail to whoever the stack file names.

    Attributes:
        topic: ARN of the topic.
    """

    topic: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        cluster: str,
        emails: Sequence[str],
        monthly_budget: int | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create topic, subscriptions and budget.

        Args:
            name: Prefix of its resources' names.
            cluster: The cluster's name: the budget counts what bears its tag.
            emails: Addresses; each gets a mail from AWS to confirm.
            monthly_budget: In USD, or None.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:Notices", name, None, opts)
        self._prefix = name
        self._child = pulumi.ResourceOptions(parent=self)
        topic = sns.Topic(name, tags={"Name": name}, opts=self._child)
        self.topic = topic.arn
        policy = sns.TopicPolicy(
            name, arn=topic.arn, policy=topic.arn.apply(_may_publish), opts=self._child
        )
        for email in emails:
            sns.TopicSubscription(
                f"{name}-{email}",
                topic=topic.arn,
                protocol="email",
                endpoint=email,
                opts=self._child,
            )
        if monthly_budget is not None:
            self._create_budget(cluster, monthly_budget, policy)
        self.register_outputs({})

    def _create_budget(self, cluster: str, limit: int, policy: sns.TopicPolicy) -> None:
        """Create a budget of what bears the cluster's tag.

        Costs can be told apart by a tag once it is activated in the account's billing console, and
        from then on.
        """
        budgets.Budget(
            self._prefix,
            budget_type="COST",
            limit_amount=str(limit),
            limit_unit="USD",
            time_unit="MONTHLY",
            cost_filters=[
                budgets.BudgetCostFilterArgs(
                    name="TagKeyValue", values=[f"user:{CLUSTER_TAG}${cluster}"]
                )
            ],
            notifications=[
                budgets.BudgetNotificationArgs(
                    notification_type="ACTUAL",
                    comparison_operator="GREATER_THAN",
                    threshold=threshold,
                    threshold_type="PERCENTAGE",
                    subscriber_sns_topic_arns=[self.topic],
                )
                for threshold in _THRESHOLDS
            ],
            tags={"Name": self._prefix},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )


def _may_publish(topic: str) -> str:
    """Return the topic's policy: the two services may publish, for this account only."""
    account = topic.split(":")[4]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return document([statement])
