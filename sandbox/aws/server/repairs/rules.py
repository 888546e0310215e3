"""Rules of security groups keep their description, whatever their source is."""

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule

from sandbox.aws.server.repairs.patching import replace


def apply() -> None:
    """Repair descriptions: moto keeps only those of rules with a CIDR."""
    original = SecurityGroupRule.__init__

    def init(self: SecurityGroupRule, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        original(self, *args, **kwargs)
        prefix = kwargs.get("prefix_list_id") or {}
        self.__dict__["sandbox_description"] = prefix.get("Description")

    def description(self: SecurityGroupRule) -> str | None:
        named: str | None = self.ip_range.get("Description") or self.source_group.get("Description")
        return named or self.__dict__["sandbox_description"]

    replace(SecurityGroupRule, "__init__", init)
    SecurityGroupRule.description = property(description)  # type: ignore[assignment,method-assign]
