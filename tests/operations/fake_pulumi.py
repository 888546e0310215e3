"""What `pulumi stack output` does, as far as these tests ask: prints a file, or fails.

Variables: FAKE_PULUMI names the file; FAKE_PULUMI_LOG one that gets the arguments.
"""

import json
import os
import sys
from pathlib import Path

words = sys.argv[1:]
Path(os.environ["FAKE_PULUMI_LOG"]).write_text(json.dumps({"words": words, "cwd": str(Path.cwd())}))
file = Path(os.environ["FAKE_PULUMI"])
if words[:3] != ["stack", "output", "--json"] or "--stack" not in words:
    sys.exit(f"error: unknown command {words}")
name = words[words.index("--stack") + 1]
if name != "dev" or not file.exists():
    sys.exit(f"error: no stack named '{name}' found")
text = file.read_text()
if text.startswith("error:"):
    sys.exit(text)
found = json.loads(text)
if "--show-secrets" not in words:
    found = {key: "[secret]" if key == "client_secret" else value for key, value in found.items()}
sys.stdout.write(json.dumps(found))
