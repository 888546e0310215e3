"""A real browser without a window: Chromium, told what to do by its debugging protocol.

`python -m tests.kubernetes.browser [--install]` says whether there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tornado.websocket import WebSocketClientConnection, websocket_connect

from sandbox.machine.programs import program

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = "chromium"
WIDTH, HEIGHT = 1280, 800
WAIT_SECONDS = 120
# A machine without a way out must not be asked for one; as root there is no sandbox of its own.
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    # A page that nobody looks at is drawn all the same.
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    f"--window-size={WIDTH},{HEIGHT}",
    "--remote-debugging-port=0",
)


class Browser:
    """A browser with one page."""

    def __init__(self) -> None:
        """Start it."""
        found = program(PACKAGE)
        assert found, f"no {PACKAGE}: apt-get install {PACKAGE}"
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._profile = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [found, *OPTIONS, f"--user-data-dir={self._profile.name}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._profile.name},
        )
        self._page: WebSocketClientConnection = self._run(self._connect())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._page.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.terminate()
            self._process.wait(20)
        self._process.kill()
        self._process.wait()
        self._loop.close()
        self._profile.cleanup()

    def open(self, url: str) -> None:
        """Go to a page; what is on it may come later."""
        self._call("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:  # noqa: ANN401
        """Return what a line of JavaScript yields."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    def wait_for(self, script: str, what: str) -> Any:  # noqa: ANN401
        """Wait until a line of JavaScript yields something true, and return it."""
        end = time.monotonic() + WAIT_SECONDS
        while not (seen := self.evaluate(script)):
            text = self.evaluate("document.body ? document.body.innerText : ''")
            assert time.monotonic() < end, f"{what}; the page says:\n{text}"
            time.sleep(0.5)
        return seen

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key, such as `Enter`."""
        codes = {"Enter": 13, "Escape": 27}
        pressed = {
            "key": key,
            "code": key,
            "windowsVirtualKeyCode": codes[key],
            "modifiers": 8 if shift else 0,
        }
        self._call("Input.dispatchKeyEvent", type="rawKeyDown", **pressed)
        self._call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def click(self, selector: str) -> None:
        """Click on the first thing of the page that a selector finds."""
        script = (
            f"(() => {{const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'nearest'}); const box = found.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]})()"
        )
        x, y = self.evaluate(script)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, file: Path) -> None:
        """Write what is seen of the page, as PNG."""
        answer = self._call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(answer["data"]))

    def _run(self, work: Any) -> Any:  # noqa: ANN401
        return self._loop.run_until_complete(asyncio.wait_for(work, WAIT_SECONDS))

    async def _connect(self) -> WebSocketClientConnection:
        port = await self._until(lambda: Path(self._profile.name, "DevToolsActivePort").read_text())
        address = f"http://127.0.0.1:{port.splitlines()[0]}/json/list"

        def pages() -> list[dict[str, str]]:
            with urllib.request.urlopen(address) as answer:
                return [each for each in json.load(answer) if each["type"] == "page"]

        (page,) = await self._until(pages)
        return await websocket_connect(page["webSocketDebuggerUrl"], max_message_size=1 << 26)

    async def _until(self, look: Callable[[], Any]) -> Any:  # noqa: ANN401
        while True:
            with contextlib.suppress(OSError):
                if found := look():
                    return found
            assert self._process.poll() is None, "the browser has ended"
            await asyncio.sleep(0.1)

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)

        async def call() -> dict[str, Any]:
            message = {"id": number, "method": method, "params": parameters}
            await self._page.write_message(json.dumps(message))
            while True:
                said = await self._page.read_message()
                assert said is not None, "the browser has closed the page"
                answer = json.loads(said)
                # The others are events.
                if answer.get("id") == number:
                    assert "error" not in answer, answer
                    found: dict[str, Any] = answer["result"]
                    return found

        result: dict[str, Any] = self._run(call())
        return result


def main() -> int:
    """Say whether there is a browser, or install it."""
    parser = argparse.ArgumentParser(prog="tests.kubernetes.browser", description=__doc__)
    parser.add_argument("--install", action="store_true", help="if it is missing, with apt-get")
    if program(PACKAGE):
        return 0
    if not parser.parse_args().install:
        sys.stderr.write(f"no {PACKAGE}. On Debian: apt-get install {PACKAGE}\n")
        return 1
    sys.stdout.write(f"installing from Debian: {PACKAGE}\n")
    sys.stdout.flush()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", PACKAGE]):
        subprocess.run(["apt-get", "-qq", *words], env=environment, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
