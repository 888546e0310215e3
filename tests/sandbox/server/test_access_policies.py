"""How documents are weighed: what is sure is decided, and what is not is an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.aws.server.access.evaluate import Need, UnknownPolicyError, decide, weigh

ARN = "arn:aws:ssm:us-east-1:123456789012:parameter/a/b"
KEYS: dict[str, Any] = {
    "aws:securetransport": "true",
    "aws:userid": "AROA:i-1",
    "aws:username": None,
    "x:one": "a*",
    "x:many": ("A", "B"),
    "x:none": None,
}
NEED = Need("ssm:GetParameter", ARN, KEYS, {"Owner": "me"})


def statement(**elements: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    return {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"} | elements


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


@pytest.mark.parametrize(
    ("elements", "holds"),
    [
        ({}, True),
        ({"Action": "SSM:getparameter"}, True),
        ({"Action": ["s3:*", "ssm:Get*"]}, True),
        ({"Action": "ssm:Get?arameter"}, True),
        ({"Action": "ssm:GetParameters"}, False),
        ({"Action": "ssm:Get"}, False),
        ({"Action": "ssm.GetParameter"}, False),
        ({"Resource": ARN}, True),
        ({"Resource": ARN.upper()}, False),
        ({"Resource": "arn:aws:ssm:us-east-1:*:parameter/a/b"}, True),
        ({"Resource": "arn:aws:ssm:us-east-1:*:parameter/a"}, False),
        ({"Resource": "arn:aws:ssm:*/?"}, True),
        ({"Resource": ["arn:aws:ssm:us-east-2:*:parameter/a/b", "arn:*b"]}, True),
        ({"Resource": "arn:aws:ssm:*:*:parameter/${aws:userid}"}, False),
        ({"Resource": "*${aws:username}"}, False),
        ({"Resource": "arn:aws:ssm:*:*:parameter/a/${*}"}, False),
    ],
)
def test_actions_and_resources(elements: dict[str, Any], *, holds: bool) -> None:
    assert decide(policy(statement(**elements)), NEED) == ("Allow" if holds else None)


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "holds"),
    [
        ("StringEquals", "x:one", "a*", True),
        ("StringEquals", "X:One", ["b", "a*"], True),
        ("StringEquals", "x:one", "a", False),
        ("StringEquals", "x:one", "?*", False),
        ("StringLike", "x:one", "a?", True),
        ("StringLike", "x:one", "b*", False),
        ("StringEquals", "aws:userid", "${aws:userid}", True),
        ("StringEquals", "aws:userid", "${aws:username}", False),
        ("StringEquals", "x:none", "a", False),
        ("StringEqualsIfExists", "x:none", "a", True),
        ("StringEqualsIfExists", "x:one", "a", False),
        ("ForAllValues:StringEquals", "x:none", "a", True),
        ("ForAnyValue:StringEquals", "x:none", "a", False),
        ("ForAllValues:StringEquals", "x:many", ["A", "B", "C"], True),
        ("ForAllValues:StringEquals", "x:many", ["A"], False),
        ("ForAnyValue:StringEquals", "x:many", ["A"], True),
        ("ForAnyValue:StringEquals", "x:many", ["C"], False),
        ("Bool", "aws:SecureTransport", "false", False),
        ("Bool", "aws:SecureTransport", True, True),
        ("BoolIfExists", "x:none", "true", True),
        ("StringEquals", "aws:ResourceTag/Owner", "me", True),
        ("StringEquals", "aws:ResourceTag/owner", "you", False),
        ("StringEquals", "aws:ResourceTag/Other", "me", False),
    ],
)
def test_conditions(operator: str, key: str, wanted: object, *, holds: bool) -> None:
    text = policy(statement(Condition={operator: {key: wanted}}))
    assert decide(text, NEED) == ("Allow" if holds else None)


def test_every_line_of_a_condition_must_hold() -> None:
    good = {"StringEquals": {"x:one": "a*"}, "Bool": {"aws:SecureTransport": "true"}}
    bad = good | {"StringLike": {"x:one": "b"}}
    assert decide(policy(statement(Condition=good)), NEED) == "Allow"
    assert decide(policy(statement(Condition=bad)), NEED) is None


def test_a_denial_is_stronger() -> None:
    assert decide(policy(statement(), statement(Effect="Deny")), NEED) == "Deny"
    assert decide(policy(statement(), statement(Effect="Deny", Action="s3:*")), NEED) == "Allow"
    assert weigh([None, "Allow", "Deny"]) == "Deny"
    assert weigh([None, "Allow"]) == "Allow"
    assert weigh([None]) is None


def test_an_action_without_a_resource_needs_a_star() -> None:
    need = Need("ssm:DescribeParameters", keys=KEYS)
    for resource, said in (("*", "Allow"), (ARN, None), ("arn:aws:ssm:*", None)):
        text = policy(statement(Action="ssm:*", Resource=resource))
        assert decide(text, need) == said


def condition(operator: str, key: str) -> str:
    return policy(statement(Condition={operator: {key: "x"}}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (policy(statement(NotAction="s3:*")), "NotAction"),
        (policy(statement(NotResource="*")), "NotResource"),
        (policy(statement(Principal="*")), "Principal"),
        (policy({"Effect": "Allow", "Action": "*"}), "without Resource"),
        (policy(statement(Effect="allow")), "effect 'allow'"),
        (policy(statement(), version="2008-10-17"), "version 2008-10-17"),
        (condition("IpAddress", "aws:SourceIp"), "operator IpAddress"),
        (condition("ForMostValues:StringEquals", "x:one"), "operator ForMostValues"),
        (condition("Null", "x:one"), "operator Null"),
        (condition("StringEquals", "aws:SourceVpc"), "key aws:SourceVpc for ssm:GetParameter"),
        (condition("StringEquals", "x:many"), "several values"),
        (policy(statement(Resource="*${aws:PrincipalTag/x}")), "variable"),
        (policy(statement(Resource="*${x:many}")), "several values"),
    ],
)
def test_what_is_not_known_is_an_error(text: str, words: str) -> None:
    with pytest.raises(UnknownPolicyError, match=words):
        decide(text, NEED)


def test_tags_that_are_not_known_are_an_error() -> None:
    need = Need("ssm:GetParameter", ARN, KEYS)
    with pytest.raises(UnknownPolicyError, match="aws:ResourceTag/x"):
        decide(condition("StringEquals", "aws:ResourceTag/x"), need)


def test_what_does_not_concern_the_call_is_not_looked_at() -> None:
    other = statement(Action="ec2:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    assert decide(policy(other, statement()), NEED) == "Allow"


def test_policies_of_resources_name_everybody() -> None:
    for principal in ("*", {"AWS": "*"}):
        text = policy(statement(Principal=principal))
        assert decide(text, NEED, of_resource=True) == "Allow"
    someone = policy(statement(Principal={"AWS": "arn:aws:iam::123456789012:root"}))
    with pytest.raises(UnknownPolicyError, match="principal"):
        decide(someone, NEED, of_resource=True)
    with pytest.raises(UnknownPolicyError, match="without Principal"):
        decide(policy(statement()), NEED, of_resource=True)
