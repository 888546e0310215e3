"""Long answers in pages, as Auto Scaling's Describe operations give them."""

from collections.abc import Sequence
from typing import TypeVar

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.groups.operations import Params

_Row = TypeVar("_Row")


def page(
    rows: Sequence[_Row], params: Params, *, default: int, most: int
) -> tuple[list[_Row], str | None]:
    """Cut out the page that a call wants.

    Args:
        rows: All rows, in an order that stays the same.
        params: The call's, with MaxRecords and NextToken.
        default: Rows of a page if the call does not say.
        most: The most rows of a page.

    Returns:
        The rows and the token of the next page, None on the last.

    Raises:
        AwsError: The token is none of ours.
    """
    token = str(params.get("NextToken") or "0")
    if not token.isdecimal():
        raise AwsError("InvalidNextToken", "The token '" + token + "' is invalid.")
    start = int(token)
    end = start + min(int(params.get("MaxRecords") or default), most)
    return list(rows[start:end]), str(end) if end < len(rows) else None
