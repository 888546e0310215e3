"""Budgets that can be changed, with their subscribers and tags."""

import json
from typing import Any

from moto.budgets.models import Budget, BudgetsBackend
from moto.budgets.responses import BudgetsResponse

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.repairs.patching import add, replace


def apply() -> None:
    """Add what moto's budgets lack."""
    original = BudgetsResponse.create_budget

    def create_budget(self: BudgetsResponse) -> str:
        answer = original(self)
        budget = _budget(self, self._get_param("Budget")["BudgetName"])
        _tags(budget).update(_pairs(self._get_param("ResourceTags") or []))
        return answer

    replace(BudgetsResponse, "create_budget", create_budget)
    add(BudgetsResponse, "update_budget", _update_budget)
    add(BudgetsResponse, "describe_subscribers_for_notification", _subscribers)
    add(BudgetsResponse, "create_subscriber", _create_subscriber)
    add(BudgetsResponse, "delete_subscriber", _delete_subscriber)
    add(BudgetsResponse, "tag_resource", _tag)
    add(BudgetsResponse, "untag_resource", _untag)
    add(BudgetsResponse, "list_tags_for_resource", _list_tags)


def _budget(self: BudgetsResponse, name: str) -> Budget:
    backend: BudgetsBackend = self.backend
    account = self._get_param("AccountId") or self.current_account
    budget = backend.budgets[account].get(name)
    if budget is None:
        raise AwsError(
            "NotFoundException", f"Unable to get budget: {name} - the budget doesn't exist."
        )
    return budget


def _of_arn(self: BudgetsResponse) -> Budget:
    return _budget(self, self._get_param("ResourceARN").rpartition("/")[2])


def _update_budget(self: BudgetsResponse) -> str:
    new = self._get_param("NewBudget")
    budget = _budget(self, new["BudgetName"])
    kept = {"TimePeriod": budget.budget["TimePeriod"]}
    budget.budget = kept | Budget(kept | new, []).budget
    return json.dumps({})


def _found(self: BudgetsResponse) -> Any:  # noqa: ANN401
    wanted = self._get_param("Notification")
    for one in _budget(self, self._get_param("BudgetName")).notifications:
        # ThresholdType is a percentage where it is not given.
        if {"ThresholdType": "PERCENTAGE"} | one.details == {
            "ThresholdType": "PERCENTAGE"
        } | wanted:
            return one
    raise AwsError("NotFoundException", "Unable to find the notification of the budget.")


def _subscribers(self: BudgetsResponse) -> str:
    return json.dumps({"Subscribers": _found(self).subscribers, "NextToken": None})


def _create_subscriber(self: BudgetsResponse) -> str:
    found, new = _found(self), self._get_param("Subscriber")
    if new in found.subscribers:
        raise AwsError("DuplicateRecordException", "The subscriber already exists.")
    found.subscribers.append(new)
    return json.dumps({})


def _delete_subscriber(self: BudgetsResponse) -> str:
    found, gone = _found(self), self._get_param("Subscriber")
    found.subscribers = [one for one in found.subscribers if one != gone]
    return json.dumps({})


def _tag(self: BudgetsResponse) -> str:
    _tags(_of_arn(self)).update(_pairs(self._get_param("ResourceTags") or []))
    return json.dumps({})


def _untag(self: BudgetsResponse) -> str:
    for key in self._get_param("ResourceTagKeys") or []:
        _tags(_of_arn(self)).pop(key, None)
    return json.dumps({})


def _list_tags(self: BudgetsResponse) -> str:
    tags = _tags(_of_arn(self))
    return json.dumps({"ResourceTags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]})


def _tags(budget: Budget) -> dict[str, str]:
    tags: dict[str, str] = budget.__dict__.setdefault("sandbox_tags", {})
    return tags


def _pairs(rows: list[dict[str, str]]) -> dict[str, str]:
    return {row["Key"]: row["Value"] for row in rows}
