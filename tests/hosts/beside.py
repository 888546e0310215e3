"""`python -m tests.hosts.beside HOME STACKS NAME COMMAND...`: `run --rehearsal`, elsewhere."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from engine import Project, Stack
from operations import rehearsed
from operations.rehearse_aws import AwsRehearsal
from operations.stacks import Opened
from tests.sandbox.rehearsed import ROOT


def main() -> int:
    home, stacks, name, *words = sys.argv[1:]
    project = dataclasses.replace(Project.load(ROOT), stack_directory=Path(stacks))
    file = Path(stacks) / f"Pulumi.{name}.yaml"
    opened = Opened(project, Stack(project, name, home=Path(home)), file)
    return rehearsed.run(AwsRehearsal(opened), words)


if __name__ == "__main__":
    sys.exit(main())
