"""SNS: topics, who may publish, and subscriptions."""

import json
from typing import Any, Final

from engine.values import Properties
from sandbox.aws.provider.calls import Delete, again
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    document,
    flag,
    local,
    replacing,
    text,
)
from sandbox.aws.provider.table import ALL_TAGS, Auto, Job, Row
from sandbox.aws.provider.tags import by_arn, unpaired

_TOPIC: Final = {
    "displayName": "DisplayName",
    "policy": "Policy",
    "deliveryPolicy": "DeliveryPolicy",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "fifoTopic": "FifoTopic",
    "contentBasedDeduplication": "ContentBasedDeduplication",
}


_TOPIC_GONE: Final = ["NotFound", "NotFoundException"]


def _as_attribute(value: Any) -> str:  # noqa: ANN401
    return str(value).lower() if isinstance(value, bool) else str(value)


def _create_topic(job: Job) -> str:
    wanted = {key: job.news[key] for key in _TOPIC if job.news.get(key) not in (None, "", False)}
    attributes = {_TOPIC[key]: _as_attribute(value) for key, value in wanted.items()}
    params: Properties = {"Name": job.get("name"), "Attributes": attributes}
    if job.tags:
        params["Tags"] = [{"Key": k, "Value": v} for k, v in job.tags.items()]
    return str(job.call("create_topic", **params)["TopicArn"])


def _change_topic(job: Job) -> None:
    for key in sorted(job.changed & _TOPIC.keys()):
        value = job.news.get(key)
        job.call(
            "set_topic_attributes",
            TopicArn=job.id,
            AttributeName=_TOPIC[key],
            AttributeValue="" if value is None else _as_attribute(value),
        )


def _attributes(job: Job, operation: str, **where: str) -> Properties | None:
    try:
        return dict(job.call(operation, **where)["Attributes"])
    except ApiError as error:
        if error.code in _TOPIC_GONE:
            return None
        raise


def _read_topic(job: Job) -> Properties | None:
    said = _attributes(job, "get_topic_attributes", TopicArn=job.id)
    if said is None:
        return None
    tags = job.call("list_tags_for_resource", ResourceArn=job.id)["Tags"]
    props = {key: said.get(name, "") for key, name in _TOPIC.items()}
    for key in ("fifoTopic", "contentBasedDeduplication"):
        props[key] = props[key] == "true"
    return props | {
        "name": job.id.rsplit(":", 1)[-1],
        "arn": job.id,
        "owner": said.get("Owner", job.id.split(":")[4]),
        "beginningArchiveTime": said.get("BeginningArchiveTime", ""),
        ALL_TAGS: unpaired(tags),
    }


def _put_topic_policy(job: Job) -> str:
    arn = str(job.get("arn"))
    job.call(
        "set_topic_attributes",
        TopicArn=arn,
        AttributeName="Policy",
        AttributeValue=job.get("policy"),
    )
    return arn


def _read_topic_policy(job: Job) -> Properties | None:
    said = _attributes(job, "get_topic_attributes", TopicArn=job.id)
    if said is None or not said.get("Policy"):
        return None
    return {"arn": job.id, "policy": said["Policy"], "owner": said.get("Owner", "")}


def _default_topic_policy(job: Job) -> None:
    """Give the topic the policy that AWS gives a new one: only its owner may use it."""
    account = job.id.split(":")[4]
    actions = ("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission",
               "DeleteTopic", "Subscribe", "ListSubscriptionsByTopic", "Publish")  # fmt: skip
    policy = {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in actions],
                "Resource": job.id,
                "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
            }
        ],
    }
    where = {"TopicArn": "{id}", "AttributeName": "Policy", "AttributeValue": json.dumps(policy)}
    Delete("set_topic_attributes", where, _TOPIC_GONE)(job)


_SUBSCRIPTION: Final = {
    "deliveryPolicy": ("DeliveryPolicy", document("")),
    "filterPolicy": ("FilterPolicy", document("")),
    "filterPolicyScope": ("FilterPolicyScope", text("", computed=True)),
    "rawMessageDelivery": ("RawMessageDelivery", flag("", default=False)),
    "redrivePolicy": ("RedrivePolicy", document("")),
}


def _subscribe(job: Job) -> str:
    wanted = {key: job.news[key] for key in _SUBSCRIPTION if job.news.get(key) not in (None, False)}
    answer = job.call(
        "subscribe",
        TopicArn=job.get("topic"),
        Protocol=job.get("protocol"),
        Endpoint=job.get("endpoint"),
        Attributes={_SUBSCRIPTION[k][0]: _as_attribute(v) for k, v in wanted.items()},
        ReturnSubscriptionArn=True,
    )
    return str(answer["SubscriptionArn"])


def _read_subscription(job: Job) -> Properties | None:
    said = _attributes(job, "get_subscription_attributes", SubscriptionArn=job.id)
    if said is None:
        return None
    props = {key: said.get(name, "") for key, (name, _) in _SUBSCRIPTION.items()}
    props["rawMessageDelivery"] = props["rawMessageDelivery"] == "true"
    return props | {
        "topic": said["TopicArn"],
        "protocol": said["Protocol"],
        "endpoint": said["Endpoint"],
        "arn": job.id,
        "ownerId": said.get("Owner", ""),
        "pendingConfirmation": said.get("PendingConfirmation") == "true",
        "confirmationWasAuthenticated": said.get("ConfirmationWasAuthenticated") == "true",
    }


def _change_subscription(job: Job) -> None:
    for key in sorted(job.changed & _SUBSCRIPTION.keys()):
        value = job.news.get(key)
        job.call(
            "set_subscription_attributes",
            SubscriptionArn=job.id,
            AttributeName=_SUBSCRIPTION[key][0],
            AttributeValue="" if value is None else _as_attribute(value),
        )


ROWS: Final = {
    "aws:sns/topic:Topic": Row(
        "sns",
        {
            "name": text("", replace=True, computed=True),
            "namePrefix": local("text", replace=True),
            "displayName": text(""),
            "policy": document("", computed=True),
            "deliveryPolicy": document(""),
            "kmsMasterKeyId": text(""),
            "fifoTopic": flag("", replace=True, default=False),
            "contentBasedDeduplication": flag("", default=False),
            "tags": TAGS,
        },
        _create_topic,
        _read_topic,
        Delete("delete_topic", {"TopicArn": "{id}"}, _TOPIC_GONE),
        update=[_change_topic],
        outputs=["arn", "beginningArchiveTime", "owner"],
        auto=Auto(longest=256),
        tags=by_arn({"ResourceArn": "{id}"}),
    ),
    "aws:sns/topicPolicy:TopicPolicy": Row(
        "sns",
        {"arn": text("", replace=True, required=True), "policy": document("", required=True)},
        _put_topic_policy,
        _read_topic_policy,
        _default_topic_policy,
        update=[again(_put_topic_policy)],
        outputs=["owner"],
    ),
    "aws:sns/topicSubscription:TopicSubscription": Row(
        "sns",
        {
            **replacing(
                {
                    "topic": text("", required=True),
                    "protocol": text("", required=True),
                    "endpoint": text("", required=True),
                }
            ),
            **{key: spec for key, (_, spec) in _SUBSCRIPTION.items()},
            "confirmationTimeoutInMinutes": local("number", default=1),
            "endpointAutoConfirms": local(default=False),
        },
        _subscribe,
        _read_subscription,
        Delete("unsubscribe", {"SubscriptionArn": "{id}"}, _TOPIC_GONE),
        update=[_change_subscription],
        outputs=["arn", "confirmationWasAuthenticated", "ownerId", "pendingConfirmation"],
    ),
}  # fmt: skip
