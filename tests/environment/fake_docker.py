"""Stands for `docker`: notes each call beside itself, and answers as the real one does.

Beside it may lie `fails`: a command, and on the lines below what it says and fails with.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

HERE = Path(sys.argv[1])
LOG = HERE / "calls.jsonl"


def main(arguments: list[str]) -> int:
    before = LOG.read_text().splitlines() if LOG.exists() else []
    variables = [name for name in os.environ if name.startswith("PULUMI_")]
    call = {"arguments": arguments, "variables": variables, "input": sys.stdin.read()}
    LOG.write_text("\n".join([*before, json.dumps(call), ""]))
    fails = HERE / "fails"
    if fails.exists():
        command, _, said = fails.read_text().partition("\n")
        if arguments[0] == command:
            sys.stderr.write(said)
            return 1
    if arguments[0] == "build":
        shutil.rmtree(HERE / "context", ignore_errors=True)
        shutil.copytree(arguments[-1], HERE / "context")
        sys.stdout.write("Step 1/2 : ARG BASE_IMAGE\n")
    else:
        repository, _, tag = arguments[1].rpartition(":")
        # The same files, built again, are another image.
        digest = hashlib.sha256(f"{len(before)}".encode()).hexdigest()
        sys.stdout.write(f"The push refers to repository [{repository}]\n0123456789ab: Pushed\n")
        sys.stdout.write(f"{tag}: digest: sha256:{digest} size: 1234\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
