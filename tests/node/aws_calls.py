"""Real clients of botocore that check each call and its answer, and send nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.validate import validate_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "eu-west-1"


def answered(service: str, answer: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Any:  # noqa: ANN401
    """Return a client whose calls are answered here.

    Args:
        service: Such as `autoscaling`.
        answer: Takes an operation and its parameters, returns what AWS would.
    """
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    made = boto3.session.Session().client(service, region_name=REGION, **keys)
    given: dict[str, Any] = {}

    def keep(params: dict[str, Any], **_: object) -> None:
        given.clear()
        given.update(params)

    def instead(model: Any, **_: object) -> tuple[Any, Any]:  # noqa: ANN401
        found = answer(model.name, dict(given))
        if model.output_shape is not None:
            report = validate_parameters(found, model.output_shape)
            assert report is None, report
        return type("Answer", (), {"status_code": 200})(), found

    made.meta.events.register(f"provide-client-params.{service}", keep)
    made.meta.events.register(f"before-call.{service}", instead)
    return made


class Calls:
    """Clients of any service that remember what they were told.

    Attributes:
        made: The operations and their parameters, in order.
        broken: Raised by the operation of that name.
    """

    def __init__(self) -> None:
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.broken: dict[str, Exception] = {}
        self.services: set[str] = set()

    def client(self, service: str, region: str) -> Any:  # noqa: ANN401
        """Stand in for `dask_node.aws.clients.client`."""
        assert region == REGION
        self.services.add(service)
        return answered(service, self._answer)

    def of(self, operation: str) -> list[dict[str, Any]]:
        return [given for name, given in list(self.made) if name == operation]

    def names(self) -> list[str]:
        return [name for name, _ in list(self.made)]

    def _answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        self.made.append((operation, given))
        if operation in self.broken:
            raise self.broken[operation]
        return {}
