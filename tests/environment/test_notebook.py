"""What a notebook gets at its start: a client, or the reason why there is none."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.environment.built import ROOT, clean_environ

if TYPE_CHECKING:
    from pathlib import Path

STARTUP = ROOT / "images" / "jupyter" / "client.py"
NOBODY = "tcp://127.0.0.1:9"
# A frontend: it runs cells one after the other, and prints what each of them showed.
FRONTEND = """
import json, sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(startup_timeout=60)
cells = []
for code in json.loads(sys.argv[1]):
    shown = []
    def keep(message):
        content = message["content"]
        if message["header"]["msg_type"] in ("stream", "execute_result"):
            shown.append(content.get("text") or content["data"]["text/plain"])
    reply = client.execute_interactive(code, timeout=60, output_hook=keep)
    cells.append([reply["content"]["status"], "".join(shown)])
client.stop_channels()
manager.shutdown_kernel(now=True)
print(json.dumps(cells))
"""


def test_without_a_cluster_the_first_cell_says_so_and_runs(
    environment: Path, tmp_path: Path
) -> None:
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    shutil.copy(STARTUP, startup)
    cells = ["1 + 1", "'client' in globals(), Client.__name__", "client"]
    done = subprocess.run(
        [str(environment / "bin" / "python"), "-c", FRONTEND, json.dumps(cells)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=clean_environ(
            HOME=str(tmp_path),
            IPYTHONDIR=str(tmp_path / "ipython"),
            JUPYTER_RUNTIME_DIR=str(tmp_path / "runtime"),
            DASK_SCHEDULER_ADDRESS=NOBODY,
            DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION="False",
            DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="1s",
        ),
    )
    assert done.returncode == 0, done.stderr
    first, second, third = json.loads(done.stdout.splitlines()[-1])
    assert first[0] == "ok"
    assert first[1].startswith("There is no client yet: TimeoutError: ")
    assert NOBODY in first[1]
    assert "When the cluster answers, run: client = Client()" in first[1]
    assert first[1].endswith("2")
    assert second == ["ok", "(False, 'Client')"], "it is said once"
    assert third[0] == "error"
