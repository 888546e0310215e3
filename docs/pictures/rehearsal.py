"""Draws `rehearsal.svg`: what runs where in a rehearsal with hosts, and what talks to what.

Usage: .venv/bin/python docs/pictures/rehearsal.py

Addresses, ports and reasons are read from the program; a test compares the picture with what this
draws.
"""  # noqa: INP001  (no package: a program beside its picture)

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from components.firewall import OPENINGS
from components.settings import ports
from components.settings.vm_parts import Vpc
from sandbox.hosts.names import API, AWS_PORT, DNS_PORT, IMDS_PORT, METADATA, RESOLVER
from sandbox.machine.apt_sources import RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE: Final = Path(__file__).with_suffix(".svg")
DEBIAN: Final = {"bookworm": "Debian 12"}[RELEASE]
WIDTH, HEIGHT = 940, 774
# Kind -> fill, edge, dashes. Not by colour alone: what stands in has a dashed edge.
KINDS: Final = {
    "same": ("#e3f3e8", "#1b6e35", "none"),
    "stand-in": ("#fff2dc", "#a35c00", "6 4"),
    "place": ("#f6f7f9", "#8a9099", "none"),
    "plain": ("#ffffff", "#8a9099", "none"),
}
INK, SOFT = "#1c2024", "#4a5058"
HEAD: Final = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" '
    f'orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="{SOFT}"/></marker></defs>'
)
# Of a character's height, as wide as the widest usual fonts have it.
SANS, MONO = 0.53, 0.61


@dataclass(frozen=True)
class Box:
    """A rectangle with a title and lines of text.

    Attributes:
        x: Its left edge; all in pixels.
        y: Its upper edge.
        w: Its width.
        h: Its height.
        kind: A key of `KINDS`.
        title: In bold.
        lines: Below; those that begin with a backtick are code.
    """

    x: int
    y: int
    w: int
    h: int
    kind: str
    title: str = ""
    lines: tuple[str, ...] = ()

    def draw(self) -> Iterator[str]:
        """Yield its elements."""
        fill, edge, dashes = KINDS[self.kind]
        yield (
            f'<rect x="{self.x}" y="{self.y}" width="{self.w}" height="{self.h}" rx="6" '
            f'fill="{fill}" stroke="{edge}" stroke-width="1.5" stroke-dasharray="{dashes}"/>'
        )
        y = self.y + 20
        if self.title:
            yield text(self.x + 12, y, self.title, size=13, bold=True, room=self.w - 14)
            y += 18
        for line in self.lines:
            yield text(self.x + 12, y, line, size=11.5, room=self.w - 14)
            y += 16
        if y - 16 > self.y + self.h:
            raise ValueError(f"{self.title}: its lines do not fit")


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: float = 11.5,
    bold: bool = False,
    room: float = WIDTH,
    anchor: str = "start",
) -> str:
    """Return a line of text; after a backtick it is code.

    Raises:
        ValueError: It does not fit.
    """
    code = words.startswith("`")
    words = words.removeprefix("`")
    if len(words) * size * (MONO if code else SANS) > room:
        raise ValueError(f"{words!r} does not fit into {room} pixels")
    family = (
        "ui-monospace, 'DejaVu Sans Mono', monospace" if code else "Helvetica, Arial, sans-serif"
    )
    size = size - 0.5 if code else size
    return (
        f'<text x="{x:g}" y="{y:g}" font-family="{family}" font-size="{size:g}" '
        f'font-weight="{600 if bold else 400}" fill="{INK}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def line(*points: tuple[int, int], heads: str = "") -> str:
    """Return a line through points; `heads` are its attributes for arrow heads."""
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{SOFT}" stroke-width="1.5"{heads}/>'


def arrow(*points: tuple[int, int], both: bool = False) -> str:
    """Return a line with a head at its end, or at both."""
    start = ' marker-start="url(#head)"' if both else ""
    return line(*points, heads=f'{start} marker-end="url(#head)"')


def span(of: range) -> str:
    """Write ports as people do."""
    return str(of[0]) if len(of) == 1 else f"{of[0]}-{of[-1]}"


def legend() -> Iterator[str]:
    """Yield what the two kinds of boxes mean."""
    yield from Box(36, 14, 26, 18, "same").draw()
    yield text(70, 28, "what is shipped: the same bytes, addresses and ports as on AWS")
    yield from Box(500, 14, 26, 18, "stand-in").draw()
    yield text(534, 28, "stands in for what AWS has (and Pulumi's own programs)")


def upper() -> Iterator[str]:
    """Yield what is outside of the VPC."""
    yield from Box(8, 46, 924, 670, "plain").draw()
    yield text(36, 72, "This machine", size=14, bold=True)
    yield text(36, 100, "`dask-cluster rehearse dev up --hosts")
    program = ("__main__.py, components/, the stack file,", "and the SDK of pulumi-aws")
    yield from Box(36, 110, 290, 66, "same", "The program of the stack", program).draw()
    yield arrow((180, 176), (180, 206))
    yield from Box(
        36, 208, 290, 66, "stand-in", "Engine and provider plugin",
        ("for Pulumi's CLI and its provider of AWS;", "every call is made by boto3"),
    ).draw()  # fmt: skip
    yield arrow((326, 232), (396, 232), (396, 150), (428, 150))
    yield text(334, 224, "`127.0.0.1", room=90)
    yield from Box(
        430, 62, 474, 212, "stand-in", "An AWS, in one process",
        (
            "`python -m sandbox.aws.server --instances hosts",
            "moto, with an Auto Scaling of ours: groups, hooks, alarms, roles,",
            "zones, secrets, parameters; it starts and ends the hosts below.",
        ),
    ).draw()  # fmt: skip
    gateway = next(ipaddress.ip_network(Vpc.model_fields["cidr"].default).hosts())
    yield text(442, 168, f"For hosts alone, on the bridge's address {gateway}:")
    for n, (name, why, port, _, _) in enumerate(services()):
        x = 442 + 154 * n
        yield from Box(x, 180, 144, 82, "plain", name, (*why, f"`:{port}")).draw()


def services() -> tuple[tuple[str, tuple[str, str], int, str, int], ...]:
    """Return the three: name, what it does, its port, and address and port as hosts have it."""
    return (
        ("IMDSv2", ("identity, tags, keys,", "user data, notices"), IMDS_PORT, METADATA, 80),
        ("Resolver", ("private zones; else", "this machine's DNS"), DNS_PORT, RESOLVER, 53),
        ("AWS API", ("by the host's keys;", "its role decides"), AWS_PORT, API, 80),
    )  # fmt: skip


def vpc() -> Iterator[str]:
    """Yield the bridge with its hosts."""
    block = Vpc.model_fields["cidr"].default
    yield from Box(20, 380, 900, 324, "place").draw()
    yield text(36, 674, f"The VPC, {block}: a bridge of Docker", size=13, bold=True)
    yield text(36, 692, "nftables has the security groups: what no rule opens is dropped.")
    for n, (_, _, _, address, port) in enumerate(services()):
        x = 442 + 154 * n + 72
        same = "stand-in" if address == API else "same"
        yield from Box(x - 72, 396, 144, 28, same).draw()
        yield text(x, 415, f"`{address}:{port}", room=144, anchor="middle")
        yield arrow((x, 396), (x, 264))
        yield arrow((x, 442), (x, 426))
    yield line((240, 458), (240, 442), (822, 442))
    for x in (546, 790):
        yield line((x, 458), (x, 442))
    yield text(591, 334, "nftables translates", anchor="middle")
    yield text(745, 334, "nftables translates", anchor="middle")
    scheduler = ("dask-scheduler, dask-watch", f"`:{ports.SCHEDULER} :{ports.DASHBOARD}")
    of_worker = "`:" + " :".join(str(each[0]) for each in ports.RANGES.values())
    worker = ("dask-worker, dask-watch", of_worker)
    for x, name, units in ((36, "scheduler", scheduler), (432, "worker", worker)):
        yield from host(x, name, units)
    yield from host(676, "worker", worker)
    yield from openings()


def host(x: int, group: str, units: tuple[str, str]) -> Iterator[str]:
    """Yield one host of a group."""
    yield from Box(
        x, 458, 228, 182, "stand-in", f"A host of group {group}",
        (f"container: {DEBIAN}, cloud-init,", "systemd as pid 1, its own address"),
    ).draw()  # fmt: skip
    yield from Box(
        x + 10, 518, 208, 112, "same", "",
        (
            "user data of at most 4 KB",
            "archive from S3, its boot.sh",
            "environment, by install.sh",
            "certificate, in memory only",
            *units,
        ),
    ).draw()  # fmt: skip


def openings() -> Iterator[str]:
    """Yield an arrow for each row of the firewall."""
    y = 492
    for row in OPENINGS:
        if (row.source, row.to) == ("worker", "worker"):
            yield arrow((546, 640), (546, 664), (790, 664), (790, 640), both=True)
            yield text(668, 682, f"{span(row.ports)}: {row.reason}", anchor="middle")
            continue
        ends = {"scheduler": 264, "worker": 432}
        yield arrow((ends[row.source], y), (ends[row.to], y))
        words = row.reason.split()
        yield text(348, y - 7, f"`{span(row.ports)}", anchor="middle")
        half = len(words) // 2 + len(words) % 2
        for n, part in enumerate((words[:half], words[half:])):
            yield text(348, y + 15 + 14 * n, " ".join(part), room=160, anchor="middle")
        y += 58


def lower() -> Iterator[str]:
    """Yield the client and the world."""
    yield text(36, 306, "`dask-cluster run dev --rehearsal -- python")
    yield from Box(36, 316, 128, 30, "same", "", ("a bare Client()",)).draw()
    yield arrow((164, 331), (192, 331))
    yield from Box(194, 316, 166, 30, "stand-in", "", ("session-manager-plugin",)).draw()
    yield arrow((210, 346), (210, 456))
    yield text(220, 410, f"`127.0.0.1:{ports.SCHEDULER}")
    yield text(220, 426, "in the host's own network")
    yield arrow((470, 704), (470, 732))
    yield from Box(
        200, 734, 540, 32, "plain", "",
        ("Package registries, data: by this machine's address, where the groups let it out",),
    ).draw()  # fmt: skip


def svg() -> str:
    """Return the picture."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>A rehearsal with hosts: what runs where, and what talks to what</title>",
        HEAD,
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *legend(),
        *upper(),
        *vpc(),
        *lower(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(svg())
