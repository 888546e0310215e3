"""What a row of the table is: a resource type with its fields and its calls."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.values import Properties, Unknown
from sandbox.aws.provider.aws import Aws
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import Field, Fields, to_aws
from sandbox.aws.provider.tags import TagForm
from sandbox.provider_protocol import ProviderError

ALL_TAGS: Final = "tagsAll"


_NAME: Final = re.compile(r"\{(\w+)\}")


SECONDS: Final = 600.0


_FIRST_PAUSE: Final = 0.1


_LONGEST_PAUSE: Final = 2.0


@dataclass(frozen=True)
class Auto:
    """A name that Check chooses.

    Attributes:
        key: The input.
        longest: Characters that AWS allows.
        digits: Random ones at its end; 0 for the bare name.
        lower: Whether AWS takes no capitals.
        unless: Another input with which no name is chosen.
    """

    key: str = "name"
    longest: int = 255
    digits: int = 7
    lower: bool = False
    unless: str = "namePrefix"


@dataclass
class Job:
    """One call on one resource: what it is about and how to reach AWS.

    Attributes:
        aws: The clients.
        row: Its row.
        name: The resource's name in the program.
        id: Its id in AWS; empty before it has one.
        news: Inputs to bring about; while reading and deleting, the recorded ones.
        olds: Recorded outputs; empty before there are any.
        changed: Inputs that differ.
        seconds: How long it may take in all, as the program asks; 0 for the usual time.
        cancelled: Whether Pulumi wants everything to stop.
    """

    aws: Aws
    row: "Row"
    name: str
    id: str = ""
    news: Properties = field(default_factory=dict)
    olds: Properties = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    seconds: float = 0
    cancelled: Callable[[], bool] = lambda: False

    def get(self, name: str) -> Any:  # noqa: ANN401 - any property
        """A property: as the program wants it, else as it is, else its default."""
        for props in (self.news, self.olds):
            if props.get(name) is not None:
                return props[name]
        spec = self.row.fields.get(name)
        return spec.default if spec else None

    @property
    def region(self) -> str:
        """Where the resource is."""
        return str(self.get("region") or self.aws.region)

    @property
    def tags(self) -> dict[str, str]:
        """All tags that it is to have."""
        return dict(self.get(ALL_TAGS) or {})

    def call(self, operation: str, *, service: str = "", **params: Any) -> Properties:  # noqa: ANN401
        """Call the row's service, or another one."""
        return self.aws.call(service or self.row.service, operation, self.region, **params)

    def params(self, *names: str) -> Properties:
        """The inputs as parameters; of all fields, or of the named ones."""
        chosen = {k: v for k, v in self.row.fields.items() if not names or k in names}
        defaults = {k: v.default for k, v in chosen.items() if v.default is not None}
        return to_aws(chosen, {**defaults, **{k: v for k, v in self.news.items() if v is not None}})

    def fill(self, template: Any) -> Any:  # noqa: ANN401 - JSON with placeholders
        """A template with `{property}` replaced; where that is all the text, its type is kept."""
        if isinstance(template, Mapping):
            return {key: self.fill(value) for key, value in template.items()}
        if isinstance(template, list | tuple):
            return [self.fill(value) for value in template]
        if not isinstance(template, str):
            return template
        if whole := _NAME.fullmatch(template):
            return self._placeholder(whole[1])
        return _NAME.sub(lambda found: str(self._placeholder(found[1])), template)

    def _placeholder(self, name: str) -> Any:  # noqa: ANN401
        if name in {"id", "region"}:
            return getattr(self, name)
        if name in {"account", "partition"}:
            return getattr(self.aws, name)
        value = self.get(name)
        return "" if value is None else value

    def wait(
        self,
        what: str,
        done: Callable[[], bool],
        *,
        seconds: float = SECONDS,
        exact: bool = False,
    ) -> None:
        """Look again and again until `done`.

        Args:
            what: The end of the sentence "waited until ...".
            done: Looks.
            seconds: How long, unless the program says otherwise.
            exact: Whether the program has no say.

        Raises:
            ProviderError: It took too long, or Pulumi gave up.
        """
        limit = seconds if exact else self.seconds or seconds
        end, every = time.monotonic() + limit, _FIRST_PAUSE
        while not done():
            if self.cancelled():
                raise ProviderError(f"stopped while waiting until {what}")
            if time.monotonic() > end:
                raise ProviderError(f"waited {limit:g} s in vain until {what}")
            time.sleep(every)
            every = min(every * 1.3, _LONGEST_PAUSE)

    def retry(
        self,
        codes: Sequence[str],
        operation: str,
        *,
        seconds: float = SECONDS,
        **params: Any,  # noqa: ANN401 - botocore checks them
    ) -> Properties:
        """Call again while AWS answers with one of these codes, then let its error through."""
        end, pause = time.monotonic() + (self.seconds or seconds), _FIRST_PAUSE
        while True:
            try:
                return self.call(operation, **params)
            except ApiError as error:
                if error.code not in codes or self.cancelled() or time.monotonic() > end:
                    raise
            time.sleep(pause)
            pause = min(pause * 1.3, _LONGEST_PAUSE)


def nothing(_job: Job) -> None:
    """Nothing to do."""


@dataclass(frozen=True)
class Row:
    """A resource type.

    Attributes:
        service: boto3's name of its service.
        fields: Its inputs.
        outputs: What else a program can read.
        create: Makes it and returns its id.
        read: Its properties in AWS, or None.
        update: Brings the changed fields about; None if all of them replace.
        delete: Removes it.
        ready: What is done, and waited for, once it has an id.
        auto: Its name, if Check chooses one.
        tags: How it is tagged; None if it cannot be.
        delete_first: A replacement cannot exist beside the old one.
        moving: Outputs that an update changes to what only AWS knows.
        regional: Whether it takes a `region`.
        check: What is wrong with inputs that are all known.
        replaced: Inputs that need a new resource only because of what they change to.
    """

    service: str
    fields: Fields
    create: Callable[[Job], str]
    read: Callable[[Job], Properties | None]
    delete: Callable[[Job], None] = nothing
    update: Sequence[Callable[[Job], None]] = ()
    outputs: Sequence[str] = ()
    ready: Callable[[Job], None] = nothing
    auto: Auto | None = None
    tags: TagForm | None = None
    delete_first: bool = False
    moving: Callable[["Job"], Sequence[str]] = lambda _job: ()
    regional: bool = True
    check: Callable[[Properties], Sequence[tuple[str, str]]] = lambda _inputs: ()
    replaced: Callable[["Job"], Sequence[str]] = lambda _job: ()

    def __post_init__(self) -> None:
        """Add what every row has."""
        fields: dict[str, Field] = dict(self.fields)
        if self.regional:
            fields["region"] = Field("text", "", computed=True, replace=True)
        object.__setattr__(self, "fields", fields)


def is_unknown(value: Any) -> bool:  # noqa: ANN401
    """Whether only an update can know it."""
    return isinstance(value, Unknown)
