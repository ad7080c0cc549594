"""Headless Chromium, driven over its DevTools protocol: as much of it as a test of a page needs.

    with run_chromium() as socket:                    # a program, for all tests of a file
        async with Browser(socket) as browser:        # cookies and cache of its own, for each test
            tab = await browser.open(url)
            await tab.write("#author", "Ann")
            await tab.until("document.title == 'Done'")

The protocol: https://chromedevtools.github.io/devtools-protocol/. Each command is a JSON object with a number, which
its answer repeats; events have none. What belongs to a tab carries the id of its session.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import attrs
import pytest

from tests.interop.clients import PATIENCE, find_program

_LISTENING = re.compile(r"DevTools listening on (ws://\S+)")
_OPTIONS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--window-size=1200,900",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have a small one
    "--disable-extensions",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
)
_POLL = 0.02
"""Seconds between two looks at a page."""


@contextmanager
def run_chromium() -> Iterator[str]:
    """The program, with a profile that is thrown away; gives the URL of its DevTools."""
    program = find_program("chromium")
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        # Chromium refuses to have a sandbox as root, which is who runs tests in a container.
        options = [*_OPTIONS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        command = [program, *options, "about:blank"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            alarm = threading.Timer(PATIENCE, process.kill)
            alarm.start()
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if found := _LISTENING.search(line):
                    break
            else:
                pytest.fail(f"chromium does not start: {''.join(said)}")
            alarm.cancel()
            # It goes on to talk, and would wait for somebody to listen.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            try:
                yield found[1]
            finally:
                process.terminate()


@attrs.frozen
class Response:
    """What the network gave a tab."""

    status: int
    url: str
    headers: dict[str, str]
    """Names in lower case."""


class Browser:
    """A context of its own in a running Chromium: no cookies, nothing in its cache. It closes its tabs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._tabs: dict[str, Tab] = {}

    async def __aenter__(self) -> Browser:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(self._url, max_msg_size=0)
        self._reading = asyncio.create_task(self._read())
        self._context = (await self.send("Target.createBrowserContext"))["browserContextId"]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.send("Target.disposeBrowserContext", browserContextId=self._context)
        await self._socket.close()
        await self._reading
        await self._session.close()

    async def send(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Send a command and return its result. AssertionError if the browser refuses it."""
        number = len(self._answers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(command | ({"sessionId": session} if session else {}))
        result = await asyncio.wait_for(answer, PATIENCE)
        assert "error" not in result, f"{method}: {result['error']}"
        return result["result"]

    async def open(self, url: str) -> Tab:
        """Open a page in a window of its own, so that none of them is hidden behind another."""
        target = await self.send(
            "Target.createTarget", url="about:blank", browserContextId=self._context, newWindow=True
        )
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab = self._tabs[attached["sessionId"]] = Tab(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            await tab.send(f"{domain}.enable")
        await tab.go(url)
        return tab

    async def _read(self) -> None:
        async for message in self._socket:
            data = json.loads(message.data)
            if "id" in data:
                answer = self._answers[data["id"]]
                if not answer.done():
                    answer.set_result(data)
            elif data.get("sessionId") in self._tabs:
                self._tabs[data["sessionId"]].notice(data["method"], data["params"])


class Tab:
    """A page. Made by `Browser.open`."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self._loaded = asyncio.Event()
        self.responses: list[Response] = []
        """All that came, in order."""
        self.complaints: list[str] = []
        """Errors in the console: exceptions, what the policy of the page forbids, what could not be loaded."""

    async def send(self, method: str, **parameters: Any) -> Any:
        """A command for this tab."""
        return await self._browser.send(method, self._session, **parameters)

    def notice(self, event: str, parameters: dict[str, Any]) -> None:
        """An event of this tab."""
        if event == "Page.loadEventFired":
            self._loaded.set()
        elif event == "Network.responseReceived":
            response = parameters["response"]
            headers = {name.lower(): value for name, value in response["headers"].items()}
            self.responses.append(Response(response["status"], response["url"], headers))
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        elif event == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])

    async def go(self, url: str) -> None:
        """Go to a page, and wait until it is loaded."""
        self._loaded.clear()
        result = await self.send("Page.navigate", url=url)
        assert "errorText" not in result, f"{url}: {result['errorText']}"
        await asyncio.wait_for(self._loaded.wait(), PATIENCE)

    async def js(self, expression: str) -> Any:
        """The value of an expression in the page, as if a user had caused it; a promise is awaited."""
        result = await self._evaluate(expression, returnByValue=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression is true, on this page or on one that it leads to."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if await self.js(f"Boolean({condition})"):
                    return
            except AssertionError:  # the page is just going, or not there yet
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                page = await self.js("document.body.innerText")
                pytest.fail(f"{condition} is not true after {PATIENCE} s, the page is: {page}\n{self.complaints}")
            await asyncio.sleep(_POLL)

    async def write(self, selector: str, text: str) -> None:
        """Type into a field, in place of what is there."""
        await self.js(f"document.querySelector({json.dumps(selector)}).select()")
        await self.send("Input.insertText", text=text)

    async def press_enter(self) -> None:
        """Press Enter where the focus is."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        await self.send("Input.dispatchKeyEvent", type="keyDown", **key)
        await self.send("Input.dispatchKeyEvent", type="keyUp", **key)

    async def click(self, selector: str) -> None:
        """Click on an element."""
        await self.js(f"document.querySelector({json.dumps(selector)}).click()")

    async def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file, as the dialog of a file field does."""
        found = await self._evaluate(f"document.querySelector({json.dumps(selector)})")
        await self.send("DOM.setFileInputFiles", files=[str(path)], objectId=found["result"]["objectId"])

    async def screenshot(self) -> bytes:
        """What is seen, as PNG; for whoever looks for a fault."""
        shot = await self.send("Page.captureScreenshot")
        return base64.b64decode(shot["data"])

    async def _evaluate(self, expression: str, **options: Any) -> Any:
        return await self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, userGesture=True, **options
        )
