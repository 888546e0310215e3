"""What an operation is: a function of a region and a call's parameters."""

from collections.abc import Callable
from typing import Any, TypeAlias

from sandbox.aws.server.groups.model import Region

Params: TypeAlias = dict[str, Any]
# Parameters come, and results go, by the names and types of botocore's model.
Operation: TypeAlias = Callable[[Region, Params], Params | None]
