import pytest

from engine.answers import last_message
from engine.errors import EngineError
from engine.registration import seconds

FRAME = '  File "/x/y.py", line 3, in create\n    raise Oops("no")\n'


def trace(end: str) -> str:
    return f"Traceback (most recent call last):\n{FRAME}{end}\n"


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ("just a message: with a colon", "just a message: with a colon"),
        (trace("ValueError: no"), "no"),
        (
            trace("package.errors.Oops: first\nsecond: line\n  third"),
            "first\nsecond: line\n  third",
        ),
        (trace("KeyError"), "KeyError"),
        (
            trace("ValueError: one")
            + "\nThe above exception was the direct cause of the following exception:\n\n"
            + trace("RuntimeError: two"),
            "two",
        ),
        (trace("Oops: a\n\nb"), "a\n\nb"),
    ],
)
def test_a_traceback_comes_down_to_what_its_last_exception_says(details: str, message: str) -> None:
    assert last_message(details) == message


@pytest.mark.parametrize(
    ("text", "expected"), [("5m", 300), ("1h30m", 5400), ("0.5s", 0.5), ("100ms", 0.1), ("0s", 0)]
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "5", "m5", "5m!", "five"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(EngineError, match="customTimeout"):
        seconds(text)
