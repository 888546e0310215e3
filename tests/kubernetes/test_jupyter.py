"""A JupyterLab beside the scheduler: by its token, in a real browser, with a client."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.kubernetes import cluster
from tests.kubernetes.browser import Browser
from tests.other_environment import EXTRA, PACKAGES, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kubernetes.podded import Podded

pytestmark = pytest.mark.timeout(900)

CELLS = (
    "total = client.submit(sum, client.map(lambda n: n * n, range(1000)))\ntotal.result()",
    f"""from importlib.metadata import version
def extra():
    return version("{EXTRA}")
[extra(), client.submit(extra).result(), client.run_on_scheduler(extra)]""",
    "client",
)
TOTAL = sum(n * n for n in range(1000))


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Podded:
    stack = podded("jupyter")
    jupyter = {"cpu": 1, "memory": "1 GiB", "home": "1 GiB"}
    stack.take(workers=2, packages=PACKAGES, jupyter=jupyter)
    stack.up()
    stack.settled(2)
    return stack


@pytest.fixture(scope="module")
def token(stack: Podded) -> str:
    (secret,) = (
        each
        for each in stack.objects("secrets")
        if each["metadata"]["name"] == "dask-jupyter-jupyter"
    )
    return base64.b64decode(secret["data"]["token"]).decode()


@contextlib.contextmanager
def forwarded(stack: Podded) -> Iterator[str]:
    """Yield where the notebook server is on this machine, by `kubectl port-forward`."""
    running = cluster.find()
    assert running is not None
    where = ("--kubeconfig", str(running.kubeconfig), "--namespace", stack.namespace)
    words = ("port-forward", "service/dask-jupyter-jupyter", ":8888")
    with subprocess.Popen(["kubectl", *where, *words], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            said = re.match(rb"Forwarding from (127\.0\.0\.1:\d+) ", process.stdout.readline())
            assert said is not None
            yield f"http://{said[1].decode()}"
        finally:
            process.terminate()


@pytest.fixture
def server(stack: Podded) -> Iterator[str]:
    stack.until(lambda: stack.names("jupyter", ready=True), "the notebook server")
    with forwarded(stack) as address:
        yield address


class Stays(urllib.request.HTTPRedirectHandler):
    """Goes to no other page."""

    def redirect_request(self, *_: object) -> None:
        return None


STAYS = urllib.request.build_opener(Stays)


def ask(address: str, token: str | None, body: object = None) -> tuple[int, Any]:
    """Ask the server; return the code of HTTP, and what it has answered."""
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"token {token}"
    data = None if body is None else json.dumps(body).encode()
    method = "GET" if data is None else "PUT"
    request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310
    try:
        with STAYS.open(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def is_connected(server: str, token: str) -> bool:
    """Return whether the one kernel has a page, and nothing to do."""
    _, sessions = ask(f"{server}/api/sessions", token)
    kernels = [session["kernel"] for session in sessions]
    return [(each["connections"], each["execution_state"]) for each in kernels] == [(1, "idle")]


def test_nobody_comes_in_without_the_token(server: str, token: str) -> None:
    for wrong in (None, "", "0" * len(token)):
        for path in ("api/contents", "api/kernels", "api/terminals"):
            assert ask(f"{server}/{path}", wrong)[0] == 403
        # Pages ask for the token first.
        for path in ("lab", "proxy/127.0.0.1:8888/"):
            assert ask(f"{server}/{path}", wrong)[0] == 302
    assert ask(f"{server}/api/contents", token)[0] == 200


def test_a_browser_without_the_token_sees_the_login_alone(server: str) -> None:
    with Browser() as browser:
        browser.open(f"{server}/lab")
        browser.wait_for("!!document.querySelector('input[name=password]')", "no login")
        assert browser.evaluate("location.pathname") == "/login"
        assert browser.evaluate("document.querySelectorAll('#jp-main-dock-panel').length") == 0


def test_a_notebook_has_a_client(server: str, token: str, stack: Podded, tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "id": f"cell-{n}"}
        | {"execution_count": None}
        for n, source in enumerate(CELLS)
    ]
    spec = {"name": "python3", "display_name": "Dask", "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    body = {"type": "notebook", "format": "json", "content": content}
    assert ask(f"{server}/api/contents/work.ipynb", token, body)[0] == 201
    picture = tmp_path / "jupyter.png"
    with Browser() as browser:
        browser.open(f"{server}/lab/tree/work.ipynb?reset&token={token}")
        whole = f"document.querySelectorAll('.jp-CodeCell').length == {len(CELLS)}"
        browser.wait_for(whole, "no notebook")
        idle = "!!document.querySelector('.jp-NotebookPanel-toolbar [data-status=\"idle\"]')"
        browser.wait_for(idle, "no kernel")
        # A page that says so before it has a connection runs nothing, and asks for a kernel.
        stack.until(lambda: is_connected(server, token), "the kernel has the page's connection")
        browser.click(".jp-CodeCell .cm-content")
        for _ in CELLS:
            browser.press("Enter", shift=True)
        output = (
            "[...document.querySelectorAll('.jp-OutputArea-output')]"
            ".map(each => each.textContent.replace(/\\s+/g, ' ')).join()"
        )
        browser.wait_for(f"{output}.includes('{TOTAL}')", "the sum is not there")
        same = f"{[VERSION] * 3}"
        browser.wait_for(f'{output}.includes("{same}")', "another environment in the notebook")
        shown = browser.wait_for(
            f"{output}.includes('Scheduler') && {output}", "no client is shown"
        )
        browser.evaluate("document.querySelector('.jp-OutputArea-output details').open = true")
        browser.picture(picture)
    # The dashboard as a browser reaches it: through this server, which asks for the token.
    assert f"/proxy/dask-jupyter-scheduler.{stack.namespace}.svc:8787/status" in shown
    assert "Workers: 2" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_dashboard_is_there_with_the_token_alone(
    server: str, token: str, stack: Podded
) -> None:
    path = f"proxy/dask-jupyter-scheduler.{stack.namespace}.svc:8787/json/counts.json"
    assert ask(f"{server}/{path}", None)[0] == 302
    code, counts = ask(f"{server}/{path}", token)
    assert (code, counts["workers"]) == (200, 2)


def test_plots_are_panels_of_the_page(server: str, token: str, stack: Podded) -> None:
    """dask-labextension's, without an address to type in: live, by the same way and token."""
    with Browser() as browser:
        browser.open(f"{server}/lab?reset&token={token}")
        tab = '[data-id="dask-dashboard-launcher"]'
        # Until its last part is there, the page takes no click.
        placed = f"['.jp-Launcher', '{tab}'].every(each => !!document.querySelector(each))"
        browser.wait_for(placed, "no tab of Dask's")
        browser.click(tab)
        plot = 'button[value="Task Stream"]:not([disabled])'
        browser.wait_for(f"!!document.querySelector('{plot}')", "no dashboard is known")
        browser.click(plot)
        page = "document.querySelector('.dask-DaskDashboard-widget iframe')"
        # A document is there when it came by the web socket.
        documents = f"{page}?.contentWindow?.Bokeh?.documents?.length"
        assert browser.wait_for(documents, "no plot is drawn") == 1
        where = f"/proxy/dask-jupyter-scheduler.{stack.namespace}.svc:8787/individual-task-stream"
        assert browser.evaluate(f"{page}.contentWindow.location.pathname") == where


def test_a_file_survives_its_pod(stack: Podded, token: str) -> None:
    text = {"type": "file", "format": "text", "content": "kept"}
    stack.until(lambda: stack.names("jupyter", ready=True), "the notebook server")
    with forwarded(stack) as address:
        assert ask(f"{address}/api/contents/notes.txt", token, text)[0] == 201
    (pod,) = stack.names("jupyter")
    stack.kubectl("delete", "pod", pod)
    stack.until(lambda: stack.names("jupyter", ready=True) - {pod}, "another notebook server")
    with forwarded(stack) as address:
        code, found = ask(f"{address}/api/contents/notes.txt", token)
    assert (code, found["content"]) == (200, "kept")
    assert stack.up().changed == {}
