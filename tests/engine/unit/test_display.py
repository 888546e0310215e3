import io

from rich.console import Console

from engine.display import Display
from engine.events import (
    Diagnostic,
    Event,
    Kind,
    Outputs,
    PropertyChange,
    StepDone,
    StepFailed,
    Summary,
)

STACK = "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"


def shown(kind: Kind, *events: Event) -> list[str]:
    out = io.StringIO()
    display = Display(Console(file=out, width=200), kind=kind)
    for event in events:
        display(event)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def done(name: str, op: str, **fields: object) -> StepDone:
    urn = f"urn:pulumi:dev::p::k:m:T::{name}"
    return StepDone(urn, "k:m:T", name, op, parent=STACK, **fields)  # type: ignore[arg-type]


def test_an_update_reads_like_pulumis() -> None:
    change = PropertyChange("size.cpu", "update", 2, 4)
    lines = shown(
        "up",
        done("a", "create", duration=1.2),
        done("b", "update", diff=(change,)),
        done("c", "same"),
        Diagnostic("warning", STACK, "one\ntwo"),
        Diagnostic("info", "", "busy", ephemeral=True),
        Outputs({"x": 1, "gone": "z"}, {"x": 2, "new": "[secret]"}),
        Summary("up", {"create": 1, "update": 1, "same": 5}, 75),
    )
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert "+ k:m:T a created (1s)" in text
    assert "~ k:m:T b updated (0.00s) [diff: ~size]\n~ size.cpu: 2 => 4" in text
    assert "Diagnostics:\npulumi:pulumi:Stack (p-dev):\nwarning: one\ntwo" in text
    assert 'Outputs:\n- gone: "z"\n+ new : [secret]\n~ x : 1 => 2' in text
    assert "Resources:\n+ 1 created\n~ 1 updated\n5 unchanged" in text
    assert text.endswith("Duration: 1m15s")
    assert " c " not in text
    assert "busy" not in text
    assert "\x1b" not in text


def test_a_preview_speaks_of_what_will_be() -> None:
    replaced = (PropertyChange("kind", "update", "x", "y", replaces=True),)
    lines = shown(
        "preview",
        done("a", "create-replacement", diff=replaced),
        done("a", "replace", diff=replaced),
        done("b", "create", internal=True),
        Summary("preview", {"replace": 1}, 0.5),
    )
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert text.count("k:m:T") == 1
    assert '~ kind: "x" => "y" (forces replacement)' in text
    assert "+- 1 to replace" in text


def test_what_failed_says_so() -> None:
    urn = "urn:pulumi:dev::p::k:m:T::a"
    lines = shown(
        "up",
        StepFailed(urn, "k:m:T", "a", "create"),
        Diagnostic("error", urn, "boom"),
        Summary("up", {}, 1, ok=False),
    )
    assert "failed" in lines[0]
    assert lines[-1] == "    error: boom"


def test_a_refresh_shows_only_what_it_found() -> None:
    lines = shown(
        "refresh", done("a", "refresh", found="same"), done("b", "refresh", found="delete")
    )
    assert len(lines) == 1
    assert lines[0].split()[:3] == ["-", "k:m:T", "b"]
