"""The program of the plugin's tests: real classes of pulumi_kubernetes, objects from a file."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes

DATA = json.loads(Path("objects.json").read_text())
provider = pulumi_kubernetes.Provider("kubernetes", **DATA["provider"])
made: dict[str, Any] = {}

for name, entry in DATA["objects"].items():
    module, kind = entry["kind"].rsplit(".", 1)
    given = entry["inputs"]
    if secret := entry.get("secret"):
        given[secret] = pulumi.Output.secret(given[secret])
    options = {**entry.get("options", {}), "depends_on": [made[x] for x in entry.get("after", [])]}
    if timeouts := options.get("custom_timeouts"):
        options["custom_timeouts"] = pulumi.CustomTimeouts(**timeouts)
    made[name] = getattr(importlib.import_module(f"pulumi_kubernetes.{module}"), kind)(
        name, opts=pulumi.ResourceOptions(provider=provider, **options), **given
    )
