"""Launch templates: a second version with user data, and data as it was given.

moto keeps the user data of later versions as plain text, which its own launch then refuses, and
writes the template's own tags into the data of its first version.
"""

from typing import Any

from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.utils import parse_user_data

from sandbox.aws.server.repairs.patching import replace


def apply() -> None:
    """Repair launch templates."""
    original = LaunchTemplate.create_version

    def create_version(
        self: LaunchTemplate, data: dict[str, Any], description: str
    ) -> LaunchTemplateVersion:
        if isinstance(data.get("UserData"), str):
            data["UserData"] = parse_user_data(data["UserData"])
        specifications = data.get("TagSpecifications") or []
        data["TagSpecifications"] = [
            one for one in specifications if one.get("ResourceType") != "launch-template"
        ]
        if not data["TagSpecifications"]:
            del data["TagSpecifications"]
        return original(self, data, description)

    replace(LaunchTemplate, "create_version", create_version)
