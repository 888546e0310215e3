"""Messages of DNS (RFC 1035): queries are read, records and answers are written."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_SOA_TTL: Final = 900  # seconds; as AWS has it
# Bytes of an answer by UDP to a client that says nothing else (RFC 1035, 2.3.4).
_SHORT: Final = 512

A, NS, CNAME, SOA, PTR, TXT, AAAA, OPT, ANY = 1, 2, 5, 6, 12, 16, 28, 41, 255
_IN: Final = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, REFUSED = 0, 1, 2, 3, 5
_RESPONSE, _AUTHORITY, _CUT, _RECURSE, _RECURSED = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_OPCODE: Final = 0x7800
_LONGEST_LABEL: Final = 63


class MalformedError(ValueError):
    """A message is no DNS query with one question."""


@dataclass(frozen=True)
class Question:
    """A query.

    Attributes:
        id: The client's number of it.
        name: In lower case, without the dot at its end.
        type: A number, such as `A`.
        raw: The question's bytes.
        recursion: Whether the client wants it (it does).
        room: How many bytes an answer by UDP may have.
        extended: Whether it has an OPT record, which is then to be answered (RFC 6891).
    """

    id: int
    name: str
    type: int
    raw: bytes
    recursion: bool
    room: int
    extended: bool


@dataclass
class Found:
    """What is known of a name.

    Attributes:
        code: The response code.
        answers: Whole records.
        authority: The zone's SOA record, where there is nothing else.
    """

    code: int = NOERROR
    answers: list[bytes] = field(default_factory=list)
    authority: list[bytes] = field(default_factory=list)


def parse(query: bytes) -> Question:
    """Read a query.

    Raises:
        MalformedError: It is none, or has not one question.
    """
    try:
        number, flags, questions, answers, authority, additional = struct.unpack_from(">6H", query)
        if flags & (_RESPONSE | _OPCODE) or questions != 1:
            raise MalformedError("it is no query with one question")
        name, end = _name(query, 12)
        kind, _ = struct.unpack_from(">2H", query, end)
        room = _room(query, end + 4) if additional and not (answers or authority) else None
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise MalformedError("it ends too early") from error
    return Question(
        id=number,
        name=name.lower(),
        type=kind,
        raw=query[12 : end + 4],
        recursion=bool(flags & _RECURSE),
        room=max(room or _SHORT, _SHORT),
        extended=room is not None,
    )


def _name(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while message[at]:
        length = message[at]
        if length > _LONGEST_LABEL or at + length >= len(message):
            raise MalformedError("a label is too long")
        labels.append(message[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(labels), at + 1


def _room(query: bytes, at: int) -> int | None:
    """Return what an OPT record says, which is the first of the additional ones if there is one."""
    name, end = _name(query, at)
    kind, room = struct.unpack_from(">2H", query, end)
    return int(room) if kind == OPT and not name else None


def record_bytes(name: str, kind: int, ttl: int, data: bytes) -> bytes:
    """Write a record; the TTL in seconds.

    Raises:
        ValueError: It has a name that is none.
    """
    return name_bytes(name) + struct.pack(">2HIH", kind, _IN, ttl, len(data)) + data


def soa(zone: str) -> list[bytes]:
    """Write the SOA record of a zone, which goes with an answer that has no others."""
    server = name_bytes(f"ns-1536.awsdns-00.co.uk.{zone}")
    names = server + name_bytes("awsdns-hostmaster.amazon.com")
    data = names + struct.pack(">5I", 1, 7200, 900, 1_209_600, 86_400)
    return [record_bytes(zone, SOA, _SOA_TTL, data)]


def name_bytes(name: str) -> bytes:
    """Write a name.

    Raises:
        ValueError: A label is too long, or has letters beyond ASCII.
    """
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".") if label]
    if any(len(label) > _LONGEST_LABEL for label in labels):
        raise ValueError(f"a label of {name} is too long")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def build(question: Question, found: Found, *, tcp: bool) -> bytes:
    """Write an answer; one that does not fit into UDP is cut, and the client asks by TCP."""
    flags = _RESPONSE | _RECURSED | (_RECURSE if question.recursion else 0) | found.code
    if found.code in {NOERROR, NXDOMAIN}:
        flags |= _AUTHORITY
    # An OPT record that says how much room we have: the root's name, and no flag.
    extra = [b"\0" + struct.pack(">2HIH", OPT, 1232, 0, 0)] if question.extended else []

    def written(flags: int, answers: list[bytes], authority: list[bytes]) -> bytes:
        counts = (1, len(answers), len(authority), len(extra))
        head = struct.pack(">6H", question.id, flags, *counts)
        return head + question.raw + b"".join([*answers, *authority, *extra])

    whole = written(flags, found.answers, found.authority)
    if tcp or len(whole) <= question.room:
        return whole
    return written(flags | _CUT, [], [])


def read_tcp(receive: Callable[[int], bytes]) -> bytes:
    """Read a message with its length before it.

    Args:
        receive: Returns at most so many bytes, none at the end of the connection.

    Raises:
        ValueError: The connection ends before the message does.
    """
    (length,) = struct.unpack(">H", _exactly(receive, 2))
    return _exactly(receive, length)


def _exactly(receive: Callable[[int], bytes], length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = receive(length - len(data))
        if not part:
            raise ValueError("the connection ended within a message")
        data += part
    return data
