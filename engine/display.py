"""What a person sees of an operation, as Pulumi prints it: rows, diffs, outputs, a summary."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from engine import urns
from engine.events import (
    Diagnostic,
    Event,
    Kind,
    Outputs,
    PropertyChange,
    StepDone,
    StepEvent,
    StepFailed,
    StepStarted,
    Summary,
)


@dataclass(frozen=True)
class _Look:
    """How an op is written: its sign and colour, and its verb before, during and after."""

    sign: str
    style: str
    plan: str
    doing: str
    done: str


_LOOKS: Final = {
    "create": _Look("+", "green", "create", "creating", "created"),
    "update": _Look("~", "yellow", "update", "updating", "updated"),
    "replace": _Look("+-", "magenta", "replace", "replacing", "replaced"),
    "delete": _Look("-", "red", "delete", "deleting", "deleted"),
    "create-replacement": _Look("++", "green", "", "creating replacement", "created replacement"),
    "delete-replaced": _Look("--", "red", "", "deleting original", "deleted original"),
    "refresh": _Look("~", "yellow", "refresh", "refreshing", "refreshed"),
}
_HEADERS: Final[dict[Kind, str]] = {
    "preview": "Previewing update",
    "up": "Updating",
    "refresh": "Refreshing",
    "destroy": "Destroying",
}
_COUNTED: Final = ("create", "update", "replace", "delete")
_SIGNS: Final = {"add": "+", "delete": "-", "update": "~"}
_SEVERITY_STYLES: Final = {"error": "bold red", "warning": "yellow"}
_SLOW_SECONDS: Final = 1.0
_VALUE_WIDTH: Final = 120


class Display:
    """A listener that prints.

    On a terminal it also shows what is running and for how long; piped, it prints nothing but
    lines.
    """

    def __init__(self, console: Console, *, kind: Kind) -> None:
        """Take the console to print on and the operation that is going to be shown."""
        self._console = console
        self._kind = kind
        self._titled = False
        self._running: dict[tuple[str, str], tuple[StepEvent, float]] = {}
        self._status = ""
        self._diagnostics: dict[str, list[Diagnostic]] = {}
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case StepStarted():
                self._started(event)
            case StepDone() | StepFailed():
                self._ended(event)
            case Diagnostic():
                self._diagnostic(event)
            case Outputs():
                self._outputs(event)
            case Summary():
                self._summary(event)

    def _line(self, text: str = "", style: str = "") -> None:
        line = Text(text, style)
        self._console.print(line, soft_wrap=True)

    def _title(self, urn: str) -> None:
        if not self._titled:
            self._titled = True
            self._line(f"{_HEADERS[self._kind]} ({urns.stack_of(urn)}):", "bold magenta")

    def _started(self, event: StepStarted) -> None:
        self._title(event.urn)
        if event.internal or event.op not in _LOOKS or self._kind == "preview":
            return
        self._running[event.urn, event.op] = (event, time.monotonic())
        if self._live is None and self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._progress,
                refresh_per_second=8,
                transient=True,
            )
            self._live.start()

    def _progress(self) -> Group:
        now = time.monotonic()
        slow = [(s, now - t) for s, t in list(self._running.values()) if now - t >= _SLOW_SECONDS]
        rows = [f"{_LOOKS[s.op].doing} {s.name} ({elapsed:.0f}s)" for s, elapsed in slow]
        if rows and self._status:
            rows[-1] += f" {self._status}"
        return Group(*(Spinner("dots", Text(row, "cyan")) for row in rows))

    def _ended(self, event: StepDone | StepFailed) -> None:
        self._running.pop((event.urn, event.op), None)
        if isinstance(event, StepFailed):
            self._row(event, "failed", "bold red")
            return
        if (
            event.internal
            or event.op not in _LOOKS
            or (event.op == "refresh" and event.found == "same")
        ):
            return
        look = _LOOKS[event.op]
        if self._kind == "preview":
            # The two halves of a replacement are a matter of carrying it out.
            if look.plan:
                self._row(event, look.plan, look.style)
            return
        verb = look.done
        if event.op == "refresh" and event.found == "delete":
            verb = "gone"
        self._row(event, f"{verb} ({_seconds(event.duration)})", look.style)

    def _row(self, event: StepEvent, status: str, style: str) -> None:
        sign = _LOOKS[event.op].sign if event.op in _LOOKS else " "
        if event.op == "refresh" and event.found == "delete":
            sign = "-"
        indent = "" if not event.parent or urns.type_of(event.parent) == urns.STACK_TYPE else "  "
        keys = list(dict.fromkeys(_top(change) for change in event.diff))
        info = f" [diff: {','.join(keys)}]" if keys and event.op != "create" else ""
        shown = f"{indent}{event.type}"
        self._line(f" {sign:<2} {shown:<50} {event.name:<18} {status}{info}", style)
        if event.op in {"update", "replace", "refresh"}:
            for change in event.diff:
                self._change(change)

    def _change(self, change: PropertyChange) -> None:
        why = "  (forces replacement)" if change.replaces else ""
        match change.kind:
            case "add":
                value = _value(change.new)
            case "delete":
                value = _value(change.old)
            case _:
                value = f"{_value(change.old)} => {_value(change.new)}"
        style = {"add": "green", "delete": "red", "update": "yellow"}[change.kind]
        self._line(f"      {_SIGNS[change.kind]} {change.path}: {value}{why}", style)

    def _diagnostic(self, event: Diagnostic) -> None:
        if event.ephemeral:
            self._status = event.message.splitlines()[-1] if event.message else ""
        elif event.severity == "info" and not self._titled:
            # Nothing runs yet: this is the engine itself, saying what it waits for.
            self._line(event.message)
        else:
            self._diagnostics.setdefault(event.urn, []).append(event)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _print_diagnostics(self) -> None:
        self._stop()
        if not self._diagnostics:
            return
        self._line()
        self._line("Diagnostics:", "bold")
        for urn, events in self._diagnostics.items():
            where = f"{urns.type_of(urn)} ({urns.name_of(urn)})" if urn else urns.STACK_TYPE
            self._line(f"  {where}:", "bold blue")
            for event in events:
                prefix = "" if event.severity == "info" else f"{event.severity}: "
                lines = f"{prefix}{event.message}".splitlines()
                for line in lines:
                    self._line(f"    {line}", _SEVERITY_STYLES.get(event.severity, ""))
        self._diagnostics = {}

    def _outputs(self, event: Outputs) -> None:
        self._print_diagnostics()
        keys = sorted({*event.old, *event.new})
        if not keys:
            return
        self._line()
        self._line("Outputs:", "bold magenta")
        width = max(map(len, keys))
        for key in keys:
            sign, value, style = _output(key, event.old, event.new)
            self._line(f"  {sign} {key:<{width}}: {value}", style)

    def _summary(self, event: Summary) -> None:
        self._print_diagnostics()
        changed = {op: count for op, count in event.changes.items() if op in _COUNTED and count}
        same = event.changes.get("same", 0)
        if changed or same:
            self._line()
            self._line("Resources:", "bold magenta")
            for op in _COUNTED:
                if op in changed:
                    look = _LOOKS[op]
                    verb = f"to {look.plan}" if self._kind == "preview" else look.done
                    self._line(f"    {look.sign} {changed[op]} {verb}", look.style)
            if same:
                self._line(f"    {same} unchanged")
        elif not event.ok:
            return
        self._line()
        self._line(f"Duration: {_seconds(event.duration)}", "bold magenta")


def _top(change: PropertyChange) -> str:
    name = change.path.split(".")[0].split("[")[0] or change.path
    whole = name == change.path
    return f"{_SIGNS[change.kind] if whole else '~'}{name}"


def _output(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, str, str]:
    if key not in new:
        return "-", _value(old[key]), "red"
    if key not in old:
        return "+", _value(new[key]), "green"
    if old[key] != new[key]:
        return "~", f"{_value(old[key])} => {_value(new[key])}", "yellow"
    return " ", _value(new[key]), ""


def _value(value: Any) -> str:  # noqa: ANN401
    if value in ("[secret]", "[unknown]"):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE_WIDTH else f"{text[: _VALUE_WIDTH - 1]}…"


def _seconds(duration: float) -> str:
    if duration < 1:
        return f"{duration:.2f}s"
    minutes, seconds = divmod(round(duration), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
