"""Parameters: 4 KB in the standard tier, and an Amazon Linux in every region."""

from typing import Any, Final

import moto.ec2.models.amis
import moto.ssm.models
from moto.ssm.models import Parameter, SimpleSystemManagerBackend
from moto.utilities.utils import load_resource

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.repairs.patching import replace

STANDARD_BYTES: Final = 4096
_ADVANCED_BYTES: Final = 8192
# moto has no data of the newest regions: there, the images of this one stand in.
_STAND_IN: Final = "us-east-1"
_BY_REGION: Final = ("ssm/resources/ami-amazon-linux-latest/", "ec2/resources/latest_amis/")


def apply() -> None:
    """Repair parameters and images."""
    original = SimpleSystemManagerBackend.put_parameter

    def put(
        self: SimpleSystemManagerBackend,
        name: str,
        description: str,
        value: str,
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> Parameter:
        tier = kwargs.get("tier") or "Standard"
        most = STANDARD_BYTES if tier == "Standard" else _ADVANCED_BYTES
        if len((value or "").encode()) > most:
            raise AwsError(
                "ValidationException",
                f"{tier} tier parameters support a maximum parameter value of {most} characters. "
                "To create a larger parameter value, upgrade the parameter to use the advanced-"
                "parameter tier. For more information, see https://docs.aws.amazon.com/systems-"
                "manager/latest/userguide/parameter-store-advanced-parameters.html",
            )
        return original(self, name, description, value, *args, **kwargs)

    replace(SimpleSystemManagerBackend, "put_parameter", put)
    # 1,301 images of nobody's region, which every new account would spend its first moment on.
    moto.ec2.models.amis.AMIS.clear()
    for module in (moto.ssm.models, moto.ec2.models.amis):
        module.load_resource = _load  # type: ignore[attr-defined]


def _load(path: str) -> Any:  # noqa: ANN401
    try:
        return load_resource(path)
    except FileNotFoundError:
        for folder in _BY_REGION:
            if path.startswith(folder):
                return load_resource(f"{folder}{_STAND_IN}.json")
        raise
