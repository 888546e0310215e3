"""A person's kubeconfig: one context of it by itself, as ``kubectl`` reads it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from operations.stacks import CommandError

if TYPE_CHECKING:
    from pathlib import Path

INSTALL = "https://kubernetes.io/docs/tasks/tools/"


def find_kubectl() -> str:
    """Return the path of ``kubectl``.

    Raises:
        CommandError: There is none.
    """
    found = shutil.which("kubectl")
    if found is None:
        raise CommandError(
            "there is no `kubectl` on PATH: it reads the kubeconfig, and carries ports of pods to "
            f"here. Install it: {INSTALL}"
        )
    return found


def one_context(context: str, file: Path | None = None) -> dict[str, Any]:
    """Return a kubeconfig with one context, its cluster and its user, complete in itself.

    Args:
        context: The context's name.
        file: The kubeconfig; by default the person's own, of one or more files.

    Raises:
        CommandError: There is no such context.
    """
    words = ["config", "view", "--raw", "--minify", "--flatten", "--output", "json"]
    done = subprocess.run(
        [find_kubectl(), *words, "--context", context],
        env=dict(os.environ) | ({} if file is None else {"KUBECONFIG": str(file)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        where = os.environ.get("KUBECONFIG", "~/.kube/config") if file is None else file
        raise CommandError(f"context `{context}` of {where}: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def server_of(config: dict[str, Any]) -> str:
    """Return the address of the API server of a kubeconfig with one cluster."""
    return str(config["clusters"][0]["cluster"]["server"])


def write(file: Path, config: dict[str, Any], names: list[str]) -> None:
    """Write a kubeconfig with one cluster, under names of ours; the last one is the current one.

    Args:
        file: Where; nobody else can read it.
        config: As `one_context` returns it.
        names: What its context is called; the same one by each name.
    """
    context = config["contexts"][0]["context"]
    contexts = [{"name": name, "context": context} for name in names]
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.touch(mode=0o600)
    # JSON is YAML.
    part.write_text(json.dumps({**config, "contexts": contexts, "current-context": names[-1]}))
    part.replace(file)


def read(file: Path) -> dict[str, Any]:
    """Return what `write` has written."""
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def names_in(file: Path) -> list[str]:
    """Return the names of the contexts that `write` has given; none without the file."""
    return [str(each["name"]) for each in read(file)["contexts"]] if file.exists() else []
