"""IAM policies that are attached, or have old versions, are not deleted."""

from moto.iam.models import IAMBackend

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.repairs.patching import replace


def apply() -> None:
    """Repair the deletion of managed policies."""
    original = IAMBackend.delete_policy

    def delete(self: IAMBackend, policy_arn: str) -> None:
        policy = self.get_policy(policy_arn)
        if policy.attachment_count:
            raise _conflict("Cannot delete a policy attached to entities.")
        if len(policy.versions) > 1:
            raise _conflict(
                "This policy has more than one version. Before you delete a policy, you must "
                "delete the policy's versions. The default version is deleted with the policy."
            )
        original(self, policy_arn)

    replace(IAMBackend, "delete_policy", delete)


def _conflict(message: str) -> AwsError:
    return AwsError("DeleteConflict", message)
