"""Where this machine gets Debian from: the mirrors of its own apt, for the root of hosts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RELEASE: Final = "bookworm"
"""Debian 12: the newest whose Python the lock covers, and what `images/host` was run on."""
_SUITES: Final = {RELEASE, f"{RELEASE}-updates", f"{RELEASE}-security"}
ELSEWHERE: Final = f"""\
deb http://deb.debian.org/debian {RELEASE} main
deb http://deb.debian.org/debian {RELEASE}-updates main
deb http://deb.debian.org/debian-security {RELEASE}-security main
"""


def sources(apt: Path = Path("/etc/apt")) -> list[str]:
    """Return texts of apt sources for Debian, each all of one format.

    They are those of this machine where it runs the same release, else Debian's own mirror.

    Args:
        apt: Folder of apt's configuration.
    """
    lists = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]
    lines = [line for path in lists if path.is_file() for line in _lines(path.read_text())]
    files = sorted((apt / "sources.list.d").glob("*.sources"))
    stanzas = [stanza for path in files for stanza in _stanzas(path.read_text())]
    texts = ["\n".join(lines), "\n\n".join(stanzas)]
    return [f"{text}\n" for text in texts if text] or [ELSEWHERE]


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if found and _is_debian([found[1]], [found[2]], found[3].split()):
            yield line.strip()


def _stanzas(text: str) -> Iterator[str]:
    without_comments = re.sub(r"(?m)^#.*\n?", "", text)
    for stanza in re.split(r"\n\s*\n", without_comments):
        folded = re.sub(r"\n[ \t]+", " ", stanza)
        fields = dict(re.findall(r"(?m)^([\w-]+):[ \t]*(.*)$", folded))
        words = {name.lower(): value.split() for name, value in fields.items()}
        if "deb" not in words.get("types", ()) or words.get("enabled") == ["no"]:
            continue
        if _is_debian(words.get("uris", ()), words.get("suites", ()), words.get("components", ())):
            yield stanza.strip()


def _is_debian(uris: Sequence[str], suites: Sequence[str], components: Sequence[str]) -> bool:
    """Not somebody else's packages for the same release: those are in a folder of another name."""
    return (
        bool(uris)
        and bool(suites)
        and "main" in components
        and set(suites) <= _SUITES
        and all(urlsplit(uri).path.rstrip("/").split("/")[-1].startswith("debian") for uri in uris)
    )
