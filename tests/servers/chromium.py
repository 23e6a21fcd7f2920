"""A real browser: Debian's Chromium without a window, for pages that somebody will look at.

::

    with chromium() as browser, browser.page(path.as_uri()) as page:
        page.press("Tab")
        assert page.ask("document.activeElement.id") == "words"

It is driven over its own protocol (Chrome DevTools Protocol, ``--remote-debugging-pipe``): lines of
JSON over two pipes, so that it needs no port and no library, and no second browser is downloaded.
It ends when the pipes are closed, so with this process however that ends.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator

__all__ = ["Browser", "Page", "chromium", "missing"]

_PATIENCE = 120.0  # seconds for an answer, on a machine that is busy
_FLAGS = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # for root; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # nothing here goes to the network
    "--hide-scrollbars",
    "--force-color-profile=srgb",
]
# By the key's name: its text, and its number, which the protocol wants.
_KEYS = {"Tab": ("", 9), "Enter": ("\r", 13), " ": (" ", 32), "Escape": ("", 27)}


def missing() -> str | None:
    """Tell what is missing to run it, or None."""
    return None if shutil.which("chromium") else "chromium is not installed"


class Browser:
    """The browser. Made by ``chromium``.

    Args:
        asks: Descriptor to write to it.
        answers: Descriptor to read from it.
    """

    def __init__(self, asks: int, answers: int) -> None:
        self._asks = asks
        self._answers = answers
        self._number = 0
        self._rest = b""
        self.events: list[dict] = []
        """What it told without being asked."""

    @contextlib.contextmanager
    def page(self, url: str) -> Iterator["Page"]:
        """Open a page, and wait until it is loaded.

        Args:
            url: Its address.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        try:
            page.load(url)
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict:
        """Ask it something.

        Args:
            method: The name that the protocol has for it.
            session: Of which page.
            **parameters: As the protocol has them.
        """
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._asks, data) :]
        while True:
            told = self._next()
            if told.get("id") == number:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]
            self.events.append(told)

    def wait_for(self, method: str, session: str, since: int) -> None:
        """Wait until it tells something.

        Args:
            method: What.
            session: Of which page.
            since: How many events there were before what makes it tell that.
        """
        told = {"method": method, "sessionId": session}
        while not any(told.items() <= event.items() for event in self.events[since:]):
            self.events.append(self._next())

    def _next(self) -> dict:
        end = time.monotonic() + _PATIENCE
        while b"\0" not in self._rest:
            left = end - time.monotonic()
            ready, _, _ = select.select([self._answers], [], [], max(0.0, left))
            assert ready, "the browser does not answer"
            piece = os.read(self._answers, 1 << 20)
            assert piece, "the browser is gone"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)


class Page:
    """A page that is open. Made by ``Browser.page``.

    Args:
        browser: Its browser.
        session: The browser's name for it.
    """

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def load(self, url: str) -> None:
        """Go to an address, and wait until all of it is there.

        Args:
            url: The address.
        """
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        since = len(self._browser.events)
        self.call("Page.navigate", url=url)
        self._browser.wait_for("Page.loadEventFired", self._session, since)

    def call(self, method: str, **parameters: object) -> dict:
        """Ask something of the page, by the protocol's own name.

        Args:
            method: The name.
            **parameters: As the protocol has them.
        """
        return self._browser.call(method, self._session, **parameters)

    def ask(self, expression: str) -> object:
        """Give the value of an expression of JavaScript.

        Args:
            expression: It; what it gives must be JSON-able.
        """
        told = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go.

        Args:
            key: ``Tab``, ``Enter``, ``Escape`` or a space.
            shift: With the shift key.
        """
        text, number = _KEYS[key]
        code = "Space" if key == " " else key
        how = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": 8 * shift}
        more = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        self.call("Input.dispatchKeyEvent", **how, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **how)

    def write(self, text: str) -> None:
        """Write into what has the focus.

        Args:
            text: What.
        """
        self.call("Input.insertText", text=text)

    def look(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Choose the window, and what the reader prefers.

        Args:
            width: Of the window, in CSS pixels.
            height: Likewise.
            dark: Whether the reader prefers dark.
        """
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, *, whole: bool = True) -> bytes:
        """Give what it looks like, as PNG.

        Args:
            whole: All of it, and not only what fits into the window.
        """
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(told["data"])

    @property
    def complaints(self) -> list[str]:
        """What it wrote on its console, what was raised in it, and what was forbidden to it."""
        shown = {
            "Runtime.consoleAPICalled": lambda told: json.dumps(told["args"]),
            "Runtime.exceptionThrown": lambda told: json.dumps(told["exceptionDetails"]),
            "Log.entryAdded": lambda told: told["entry"]["text"],
        }
        return [shown[name](told) for name, told in self._told() if name in shown]

    @property
    def requests(self) -> list[str]:
        """The addresses that it asked for."""
        asked = (told for name, told in self._told() if name == "Network.requestWillBeSent")
        return [told["request"]["url"] for told in asked]

    def _told(self) -> Iterator[tuple[str, dict]]:
        self.ask("0")  # what was under way has been told then
        for told in self._browser.events:
            if told.get("sessionId") == self._session:
                yield told["method"], told["params"]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser."""
    directory = tempfile.mkdtemp(prefix="storekit-chromium-")
    words = ["chromium", *_FLAGS, f"--user-data-dir={directory}", "about:blank"]
    process = subprocess.Popen(
        # The browser reads at descriptor 3 and writes at 4.
        ["sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null', "sh", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the terminal's Ctrl-C is for pytest, not for it
        env={**os.environ, "HOME": directory},
    )
    try:
        yield Browser(process.stdin.fileno(), process.stdout.fileno())
    finally:
        process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        shutil.rmtree(directory, ignore_errors=True)
