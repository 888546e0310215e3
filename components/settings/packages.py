"""How a package with its version is read."""

import re
from typing import Annotated

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import BeforeValidator, WithJsonSchema

from components.settings.problems import WrongValueError, show
from components.settings.scalars import Json, Reads, or_json, sequence

_PACKAGE: Json = {
    "type": "string",
    "pattern": r"^\s*[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*\(?\s*[<>=!~][^@/\\]*$",
}


def _requirement(value: object) -> str:
    # An address may hold a password: nothing that looks like one is repeated.
    remedy = "Write for example `xarray>=2025.1`."
    if not isinstance(value, str):
        raise WrongValueError(f"{show(value)} is not a package", remedy)
    if "@" in value or re.match(r"\s*[./~]|.*[/\\]", value):
        problem = "an address or a path is not the same on every machine"
        raise WrongValueError(problem, f"Name a package of the registry. {remedy}")
    try:
        requirement = Requirement(value.strip())
    except InvalidRequirement:
        raise WrongValueError(f"{show(value)} is not a package with its version", remedy) from None
    if not requirement.specifier:
        raise WrongValueError(
            f"{show(value)} says no version", f"Write for example `{requirement.name}>=1`."
        )
    return str(requirement)


Packages = Annotated[
    tuple[Annotated[str, Reads(_requirement, _PACKAGE)], ...],
    BeforeValidator(sequence),
    WithJsonSchema(or_json({"type": "array", "items": _PACKAGE}, "[")),
]
