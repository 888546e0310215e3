"""Roles, profiles and policies: IAM lists no tags, so a name narrows down and the tag decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.sweep.kinds import Client, Kind, Scope, pages, tagged
from operations.sweeping import Found

if TYPE_CHECKING:
    from collections.abc import Iterator


def _profiles(client: Client, scope: Scope) -> Iterator[Found]:
    for profile in pages(client, "list_instance_profiles", "InstanceProfiles"):
        name = profile["InstanceProfileName"]
        if name.startswith(scope.prefix) and tagged(
            client.get_instance_profile,
            "InstanceProfile.Tags",
            scope.cluster,
            InstanceProfileName=name,
        ):
            yield Found(name)


def _delete_profile(client: Client, name: str) -> None:
    profile = client.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    for role in profile["Roles"]:
        client.remove_role_from_instance_profile(
            InstanceProfileName=name, RoleName=role["RoleName"]
        )
    client.delete_instance_profile(InstanceProfileName=name)


def _roles(client: Client, scope: Scope) -> Iterator[Found]:
    for role in pages(client, "list_roles", "Roles"):
        name = role["RoleName"]
        if name.startswith(scope.prefix) and tagged(
            client.list_role_tags, "Tags", scope.cluster, RoleName=name
        ):
            yield Found(name)


def _delete_role(client: Client, name: str) -> None:
    for policy in list(pages(client, "list_role_policies", "PolicyNames", RoleName=name)):
        client.delete_role_policy(RoleName=name, PolicyName=policy)
    attached = pages(client, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
    for each in list(attached):
        client.detach_role_policy(RoleName=name, PolicyArn=each["PolicyArn"])
    client.delete_role(RoleName=name)


def _policies(client: Client, scope: Scope) -> Iterator[Found]:
    for policy in pages(client, "list_policies", "Policies", Scope="Local"):
        arn = policy["Arn"]
        if policy["PolicyName"].startswith(scope.prefix) and tagged(
            client.list_policy_tags, "Tags", scope.cluster, PolicyArn=arn
        ):
            yield Found(arn)


def _delete_policy(client: Client, arn: str) -> None:
    """Delete it unless somebody has it: who got it from a person loses it by a person only."""
    for version in list(pages(client, "list_policy_versions", "Versions", PolicyArn=arn)):
        if not version["IsDefaultVersion"]:
            client.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    client.delete_policy(PolicyArn=arn)


KINDS = (
    Kind("instance profile", "iam", _profiles, _delete_profile),
    Kind("role", "iam", _roles, _delete_role),
    Kind("policy", "iam", _policies, _delete_policy),
)
