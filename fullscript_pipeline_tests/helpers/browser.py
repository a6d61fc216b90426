"""A real Chromium, driven over the W3C WebDriver protocol: open a page, wait for words, click, take a picture.

The protocol is JSON over HTTP, so that no package (and no download of a driver) is needed; `chromedriver` comes with
the system's Chromium. What does not belong here: what is looked for.
"""

import base64
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
MISSING = "no Chromium with chromedriver found: install them (Debian: apt-get install chromium chromium-driver)"


class Browser:
    """One window of one session."""

    def __init__(self, http: httpx.Client, session: str) -> None:
        self._http, self._session = http, session

    def _call(self, method: str, path: str, **body: Any) -> Any:
        answer = self._http.request(method, f"/session/{self._session}{path}", json=body if method == "POST" else None)
        value = answer.json()["value"]
        if answer.is_error:
            raise AssertionError(f"The browser refused {path}: {value.get('message', '')[:300]}")
        return value

    def open(self, url: str) -> None:
        self._call("POST", "/url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script (the body of a function) returns."""
        return self._call("POST", "/execute/sync", script=script, args=list(arguments))

    def command(self, name: str, **values: Any) -> Any:
        """A command of the DevTools protocol: `Emulation.setEmulatedMedia`, `Page.printToPDF`."""
        return self._call("POST", "/goog/cdp/execute", cmd=name, params=values)

    def use_theme(self, theme: str) -> None:
        """As a reader whose system is `light` or `dark`."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def use_width(self, pixels: int) -> None:
        """The width of the view, which may be narrower than a window can be."""
        size = {"width": pixels, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", **size)

    @property
    def address(self) -> str:
        return str(self._call("GET", "/url"))

    def text(self) -> str:
        """What a reader sees, without case: style sheets put words in capitals."""
        return str(self.run("return document.body.innerText")).lower()

    def wait_for(self, *words: str, seconds: float = 30) -> str:
        """Until all words are on the page; the page's text. Raises AssertionError with what is there instead."""
        deadline = time.monotonic() + seconds
        while not all(word.lower() in (text := self.text()) for word in words):
            if time.monotonic() > deadline:
                raise AssertionError(f"Not on {self.address} after {seconds:.0f} s: {words}. There: {text[:1500]}")
            time.sleep(0.2)
        return text

    def click(self, words: str, kinds: str = "button, a", seconds: float = 20) -> None:
        """Clicks the first enabled element of `kinds` whose text is or begins with `words`."""
        element = (
            "const all = [...document.querySelectorAll(arguments[0])].filter(one => !one.disabled);"
            "const said = one => one.innerText.trim().toLowerCase();"
            "const hit = all.find(one => said(one) === arguments[1])"
            " || all.find(one => said(one).startsWith(arguments[1]));"
            "if (hit) hit.click(); return Boolean(hit)"
        )
        deadline = time.monotonic() + seconds
        while not self.run(element, kinds, words.lower()):
            if time.monotonic() > deadline:
                raise AssertionError(f"Nothing to click called {words!r} on {self.address}: {self.text()[:1500]}")
            time.sleep(0.2)

    def click_last(self, words: str, kinds: str) -> None:
        """Clicks the last of several elements of `kinds` whose text is `words`."""
        self.run(
            "[...document.querySelectorAll(arguments[0])]"
            ".filter(one => one.innerText.trim() === arguments[1]).at(-1).click()",
            kinds,
            words,
        )

    def follow(self, address: str, seconds: float = 30) -> None:
        """Clicks the first link whose address contains `address`, and goes to the window that it opens, if it does."""
        script = "const hit = [...document.querySelectorAll('a')].find(one => one.href.includes(arguments[0]));"
        deadline, before = time.monotonic() + seconds, set(self._call("GET", "/window/handles"))
        while not self.run(f"{script} if (hit) hit.click(); return Boolean(hit)", address):
            if time.monotonic() > deadline:
                raise AssertionError(f"No link to {address} on {self.address}: {self.text()[:1500]}")
            time.sleep(0.2)
        time.sleep(1)  # a new window has a handle a moment later
        for handle in set(self._call("GET", "/window/handles")) - before:
            self._call("POST", "/window", handle=handle)

    def use_frame(self, number: int | None) -> None:
        """Goes into a frame of the page, or (None) back to the page."""
        self._call("POST", "/frame", id=number)

    def press(self, keys: str) -> None:
        """Types into whatever has the focus."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def picture(self, path: Path) -> None:
        """What the window shows, as PNG."""
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))


def chromium(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """One headless visit of a local page, with a profile of its own."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / '.profile'}"]
    command = [str(BROWSER), *flags, *options, page.resolve().as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


@contextmanager
def browser(profile: Path, width: int = 1280, height: int = 800, *more: str) -> Iterator[Browser]:
    """A headless window with a profile of its own; it and its driver are gone afterwards. `more`: flags."""
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking"]
    options = {
        "binary": BROWSER,
        "args": [*flags, *more, f"--window-size={width},{height}", f"--user-data-dir={profile}", "--no-first-run"],
    }
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with subprocess.Popen(
        [str(DRIVER), "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as driver:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{_port(driver)}", trust_env=False, timeout=60) as http:
                capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
                session = http.post("/session", json={"capabilities": capabilities}).json()["value"]
                if "sessionId" not in session:
                    raise AssertionError(f"Chromium did not start: {session.get('message', '')[:300]}")
                try:
                    yield Browser(http, session["sessionId"])
                finally:
                    http.delete(f"/session/{session['sessionId']}")
        finally:
            # It may wait for its browser for ever; then both are ended.
            driver.terminate()
            try:
                driver.wait(10)
            except subprocess.TimeoutExpired:
                driver.kill()


def _port(driver: "subprocess.Popen[str]") -> int:
    for line in driver.stdout or ():
        if "successfully on port" in line:
            return int(line.rstrip(". \n").rpartition(" ")[2])
    raise AssertionError("chromedriver did not start.")
