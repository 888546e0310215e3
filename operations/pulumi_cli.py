"""Stacks elsewhere belong to Pulumi itself: what its command is asked, and what a person types."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from operations.stacks import COMMAND, ERROR, LOCAL, NO_STACK, WRONG_SETTINGS, CommandError

if TYPE_CHECKING:
    from operations.stacks import Opened

INSTALL = "https://www.pulumi.com/docs/install/"
# By platform: where its stacks are, and what a rehearsal does not need.
_ELSEWHERE = {"vm": ("on AWS", "an account"), "kubernetes": ("on Kubernetes", "a cluster of yours")}


def refuse(opened: Opened, words: str) -> None:
    """Refuse a stack that is not on this machine, with the command to type instead.

    Args:
        opened: The stack.
        words: Pulumi's own command, such as ``up``.

    Raises:
        SettingsError: The stack file is wrong: that comes first.
        CommandError: The stack is elsewhere (exit code 2).
    """
    if opened.platform == LOCAL:
        return
    opened.settings()
    where, without = _ELSEWHERE[opened.platform]
    raise CommandError(
        f"stack `{opened.name}` is {where}, and belongs to Pulumi itself. Type:\n"
        f"  pulumi {words} -s {opened.name}\n"
        f"To try the stack on this machine, without {without}:\n"
        f"  {COMMAND} rehearse {opened.name} up",
        WRONG_SETTINGS,
    )


def outputs(opened: Opened, *, show_secrets: bool = True) -> dict[str, Any]:
    """Return the outputs of a stack that is up, as Pulumi's backend has them.

    Raises:
        CommandError: There is no ``pulumi``, no such stack (exit code 6), or it is not up.
    """
    name = opened.name
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        where, _ = _ELSEWHERE[opened.platform]
        raise CommandError(
            f"stack `{name}` is {where} and its outputs are in Pulumi's backend, but there is no "
            f"`pulumi` on PATH. Install it: {INSTALL}"
        )
    words = ["stack", "output", "--json", "--non-interactive", "--stack", name]
    done = subprocess.run(
        [pulumi, *words, *(["--show-secrets"] if show_secrets else [])],
        cwd=opened.project.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise _failure(name, done.stderr.strip() or f"it ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    if "groups" not in found:
        raise CommandError(
            f"stack `{name}` is not up: it has no outputs yet. Run `pulumi up -s {name}`; if one "
            "is running, wait for it."
        )
    return found


def _failure(name: str, said: str) -> CommandError:
    # The backends agree on these words (pulumi/pkg/cmd/pulumi/stack).
    if "no stack named" in said:
        return CommandError(
            f"stack `{name}` is not in Pulumi's backend: {said.removeprefix('error: ')}.\n"
            f"If it is in another one, `pulumi login` there. If it was never made:\n"
            f"  pulumi stack init {name}\n"
            f"  pulumi up -s {name}",
            NO_STACK,
        )
    return CommandError(f"`pulumi stack output -s {name}` failed: {said}", ERROR)
