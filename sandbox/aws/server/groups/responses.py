"""Auto Scaling's operations over moto's parsers and serialisers."""

from typing import Final

from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse, EmptyResult

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.groups import (
    api_groups,
    api_hooks,
    api_instances,
    api_others,
    api_policies,
)
from sandbox.aws.server.groups.model import region
from sandbox.aws.server.groups.operations import Operation

OPERATIONS: Final[dict[str, Operation]] = {
    **api_groups.OPERATIONS,
    **api_instances.OPERATIONS,
    **api_hooks.OPERATIONS,
    **api_policies.OPERATIONS,
    **api_others.OPERATIONS,
}


class GroupsResponse(BaseResponse):
    """Answers calls of Auto Scaling; moto's own groups are not used."""

    def __init__(self) -> None:
        super().__init__(service_name="autoscaling")
        self.automated_parameter_parsing = True

    def call_action(self) -> TYPE_RESPONSE:
        """Run the operation of this request."""
        try:
            status, headers, body = self.serialized(self._result())
        except ServiceException as error:
            status, headers, body = self.serialized(ActionResult(error))
        headers, body = self._enrich_response(headers, body)
        return status, headers, body

    def _result(self) -> ActionResult:
        action = self._get_action()
        operation = OPERATIONS.get(action)
        if operation is None:
            raise AwsError(
                "InvalidAction", f"the AWS of the rehearsal does not know {action} of Auto Scaling"
            )
        result = operation(region(self.region), self.params)
        return EmptyResult() if result is None else ActionResult(result)
