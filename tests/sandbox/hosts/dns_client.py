"""Questions of DNS and their answers, for tests: written and read apart from what they test."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

A = 1


def query(name: str, kind: int = A, *, room: int = 0) -> bytes:
    head = struct.pack(">6H", 0x1234, 0x0100, 1, 0, 0, 1 if room else 0)
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split(".") if one)
    extra = b"\0" + struct.pack(">2HIH", 41, room, 0, 0) if room else b""
    return head + labels + b"\0" + struct.pack(">2H", kind, 1) + extra


@dataclass(frozen=True)
class Answer:
    """An answer, read."""

    code: int
    cut: bool
    authoritative: bool
    rows: list[tuple[str, int, int, bytes]]
    authority: list[tuple[str, int, int, bytes]]
    additional: int


def read(message: bytes | None) -> Answer:
    assert message is not None
    number, flags, questions, answers, authority, additional = struct.unpack_from(">6H", message)
    assert (number, questions, flags & 0x8180) == (0x1234, 1, 0x8180)
    at = 12

    def name() -> str:
        nonlocal at
        labels = []
        while message[at]:
            labels.append(message[at + 1 : at + 1 + message[at]].decode())
            at += 1 + message[at]
        at += 1
        return ".".join(labels)

    def row() -> tuple[str, int, int, bytes]:
        nonlocal at
        owner = name()
        kind, _, ttl, length = struct.unpack_from(">2HIH", message, at)
        at += 10 + length
        return owner, kind, ttl, message[at - length : at]

    name()
    at += 4
    rows = [row() for _ in range(answers)]
    others = [row() for _ in range(authority)]
    for _ in range(additional):
        row()
    assert at == len(message)
    return Answer(flags & 15, bool(flags & 0x0200), bool(flags & 0x0400), rows, others, additional)


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed
