"""Secrets whose deletion is scheduled keep their name, in the words of AWS."""

from typing import Any

from moto.secretsmanager.models import SecretsManagerBackend

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.repairs.patching import replace


def apply() -> None:
    """Repair the creation of secrets."""
    original = SecretsManagerBackend.create_secret

    def create(self: SecretsManagerBackend, name: str, **kwargs: Any) -> str:  # noqa: ANN401
        known = self.secrets.get(name)
        if known is not None and known.is_deleted():
            raise AwsError(
                "InvalidRequestException",
                "You can't create this secret because a secret with this name is already scheduled "
                "for deletion.",
            )
        return original(self, name=name, **kwargs)

    replace(SecretsManagerBackend, "create_secret", create)
