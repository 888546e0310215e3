# ruff: noqa: INP001  # read by Jupyter, not a module of a package
"""The notebook server: who may come in, and where the cluster's dashboard is."""

import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

import dask.config
from jupyter_core.paths import jupyter_runtime_dir
from traitlets.config import get_config

c = get_config()

# A file and not JUPYTER_TOKEN: every kernel and all that it starts inherits the variables.
TOKEN = Path("/run/dask/jupyter/token")
SHORTEST = 16
DASHBOARD_PORT = 8787

try:
    token = TOKEN.read_text().strip()
except OSError as error:
    sys.exit(f"The notebook server's token cannot be read: {error}. Mount a Secret there.")
if len(token) < SHORTEST:
    # To Jupyter an empty token says that everybody may come in.
    sys.exit(f"The token in {TOKEN} is shorter than {SHORTEST} characters.")
c.IdentityProvider.token = token
c.PasswordIdentityProvider.hashed_password = ""
c.PasswordIdentityProvider.allow_password_change = False

c.ServerApp.ip = "0.0.0.0"  # noqa: S104  # in a pod, behind its policy and the token
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.quit_button = False
# The image holds what there is, read-only.
c.LabApp.extension_manager = "readonly"

# Where Dask's client dials is where the dashboard is: browsers reach it through this server, which
# is a way to no other host.
scheduler = urlsplit(dask.config.get("scheduler-address", None) or "").hostname
c.ServerProxy.host_allowlist = [scheduler] if scheduler else []

settings = {
    "dask-labextension:plugin": {
        "defaultURL": f"/proxy/{scheduler}:{DASHBOARD_PORT}" if scheduler else "",
        # It would start a cluster inside of the notebook server.
        "hideClusterManager": True,
    },
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"},
}
lab = Path(jupyter_runtime_dir()) / "lab"
lab.mkdir(parents=True, exist_ok=True)
(lab / "overrides.json").write_text(json.dumps(settings))
c.LabApp.app_settings_dir = str(lab)
