"""Budgets. They have no regions."""

from datetime import UTC, datetime
from typing import Final

from engine.values import Properties
from sandbox.aws.provider.calls import Delete
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    block,
    block_set,
    flag,
    from_aws,
    local,
    number,
    text,
    text_set,
)
from sandbox.aws.provider.table import ALL_TAGS, Auto, Job, Row
from sandbox.aws.provider.tags import TagForm, unpaired

_GONE: Final = ["NotFoundException"]
_TIME: Final = "%Y-%m-%d_%H:%M"
_NOTICE: Final = {
    "comparisonOperator": text(),
    "notificationType": text(),
    "threshold": number(),
    "thresholdType": text(default="PERCENTAGE"),
    "subscriberEmailAddresses": text_set(""),
    "subscriberSnsTopicArns": text_set(""),
}
_WHERE: Final = {"ResourceARN": "arn:{partition}:budgets::{account}:budget/{name}"}
_SUBSCRIBERS: Final = {"EMAIL": "subscriberEmailAddresses", "SNS": "subscriberSnsTopicArns"}


def _budget(job: Job) -> Properties:
    budget: Properties = {
        **job.params("name", "budgetType", "timeUnit", "costTypes"),
        "BudgetLimit": {"Amount": str(job.get("limitAmount")), "Unit": str(job.get("limitUnit"))},
    }
    if filters := job.news.get("costFilters"):
        budget["CostFilters"] = {item["name"]: list(item["values"]) for item in filters}
    times = {"Start": job.get("timePeriodStart"), "End": job.get("timePeriodEnd")}
    period = {
        key: datetime.strptime(str(value), _TIME).replace(tzinfo=UTC)
        for key, value in times.items()
        if value
    }
    return budget | ({"TimePeriod": period} if period else {})


def _notices(job: Job, props: Properties) -> list[Properties]:
    """Notifications with their subscribers, as the API takes them."""
    spec = job.row.fields["notifications"]
    found = []
    for notice in props.get("notifications") or []:
        people = [
            {"SubscriptionType": kind, "Address": address}
            for kind, name in _SUBSCRIBERS.items()
            for address in notice.get(name) or []
        ]
        values = {key: value for key, value in notice.items() if key not in _SUBSCRIBERS.values()}
        as_sent = {spec.fields[key].param(key): value for key, value in values.items()}
        found.append({"Notification": as_sent, "Subscribers": people})
    return found


def _account(job: Job) -> dict[str, str]:
    return {"AccountId": job.aws.account}


def _create(job: Job) -> str:
    notices = _notices(job, job.news)
    params: Properties = {**_account(job), "Budget": _budget(job)}
    if notices:
        params["NotificationsWithSubscribers"] = notices
    if job.row.tags:
        params |= job.row.tags.for_create(job.tags)
    job.call("create_budget", **params)
    return f"{job.aws.account}:{job.get('name')}"


def _read(job: Job) -> Properties | None:
    name = job.id.split(":", 1)[1]
    where = {**_account(job), "BudgetName": name}
    try:
        item = job.call("describe_budget", **where)["Budget"]
        said = job.call("describe_notifications_for_budget", **where).get("Notifications") or []
    except ApiError as error:
        if error.code in _GONE:
            return None
        raise
    props = from_aws(job.row.fields, item)
    period = item.get("TimePeriod") or {}
    limit = item.get("BudgetLimit") or {}
    arn = job.fill(_WHERE["ResourceARN"])
    return props | {
        "accountId": job.aws.account,
        "arn": arn,
        "limitAmount": limit.get("Amount"),
        "limitUnit": limit.get("Unit"),
        "costFilters": [
            {"name": key, "values": values}
            for key, values in sorted((item.get("CostFilters") or {}).items())
        ],
        "timePeriodStart": _time(period.get("Start")),
        "timePeriodEnd": _time(period.get("End")),
        "notifications": [_notice(job, where, notice) for notice in said],
        ALL_TAGS: unpaired(job.call("list_tags_for_resource", ResourceARN=arn)["ResourceTags"]),
    }


def _time(value: object) -> str:
    return value.strftime(_TIME) if isinstance(value, datetime) else ""


def _notice(job: Job, where: Properties, notice: Properties) -> Properties:
    asked = {key: value for key, value in notice.items() if key != "NotificationState"}
    people = job.call("describe_subscribers_for_notification", **where, Notification=asked)
    found = from_aws(job.row.fields["notifications"].fields, notice)
    for kind, name in _SUBSCRIBERS.items():
        listed = people.get("Subscribers") or []
        found[name] = [p["Address"] for p in listed if p["SubscriptionType"] == kind]
    return found


def _change(job: Job) -> None:
    where = {**_account(job), "BudgetName": job.get("name")}
    if job.changed - {"notifications", "tags", ALL_TAGS}:
        job.call("update_budget", **_account(job), NewBudget=_budget(job))
    if "notifications" in job.changed:
        for notice in _notices(job, job.olds):
            job.call("delete_notification", **where, Notification=notice["Notification"])
        for notice in _notices(job, job.news):
            job.call("create_notification", **where, **notice)


ROWS: Final = {
    "aws:budgets/budget:Budget": Row(
        "budgets",
        {
            "name": text("BudgetName", replace=True, computed=True),
            "namePrefix": local("text", replace=True),
            "accountId": text("", replace=True, computed=True),
            "budgetType": text(required=True),
            "timeUnit": text(required=True),
            "limitAmount": number("", computed=True),
            "limitUnit": text("", computed=True),
            "timePeriodStart": text("", computed=True),
            "timePeriodEnd": text("", computed=True, default="2087-06-15_00:00"),
            "costFilters": block_set(
                {"name": text(), "values": text_set()}, "", computed=True
            ),
            "costTypes": block(
                {
                    name: flag(computed=True)
                    for name in (
                        "includeCredit", "includeDiscount", "includeOtherSubscription",
                        "includeRecurring", "includeRefund", "includeSubscription",
                        "includeSupport", "includeTax", "includeUpfront", "useAmortized",
                        "useBlended",
                    )
                },
                computed=True,
            ),
            "notifications": block_set(_NOTICE, ""),
            "tags": TAGS,
        },
        _create,
        _read,
        Delete("delete_budget", {"AccountId": "{account}", "BudgetName": "{name}"}, _GONE),
        update=[_change],
        outputs=["arn"],
        auto=Auto(longest=100),
        tags=TagForm(
            ("tag_resource", _WHERE, "ResourceTags"),
            ("untag_resource", _WHERE, "ResourceTagKeys"),
            on_create="ResourceTags",
        ),
        regional=False,
    ),
}  # fmt: skip
