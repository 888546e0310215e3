"""Calls of Docker's command line, as `up` makes them."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from collections.abc import Mapping

# How much of what a failed call said is repeated: a build says why near its end.
MOST_LINES = 20

_REASONS = {
    r"Cannot connect to the Docker daemon|error during connect": (
        "No Docker daemon answers. Start Docker, or say where it is with DOCKER_HOST."
    ),
    r"permission denied while trying to connect": (
        "Docker's daemon takes no calls of this user. Add the user to the group docker."
    ),
}


def docker(*arguments: str, reasons: Mapping[str, str]) -> str:
    """Run one command of Docker, and return what it printed on both outputs.

    Args:
        arguments: Of the command.
        reasons: What to say of a failure, by a regular expression that its output has.

    Raises:
        pulumi.RunError: Docker is missing, or the command failed; with its last lines.
    """
    # As for every program of another's: what Pulumi hands to this one stays here.
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("PULUMI_")}
    command = ["docker", *arguments]
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise pulumi.RunError(
            "docker is not on PATH, and up builds the environment's image with it. Install "
            "Docker, or name an image that has the environment: image instead of imageRepository."
        ) from None
    if done.returncode:
        raise pulumi.RunError(_reason(arguments[0], done.stdout, {**_REASONS, **reasons}))
    return done.stdout


def _reason(command: str, said: str, reasons: Mapping[str, str]) -> str:
    known = (sentence for pattern, sentence in reasons.items() if re.search(pattern, said))
    sentence = next(known, "The environment's image cannot be made.")
    last = "\n".join(said.strip().splitlines()[-MOST_LINES:])
    return f"{sentence} docker {command} said:\n{last}"
