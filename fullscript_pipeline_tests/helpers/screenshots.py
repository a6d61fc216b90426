"""The pictures of README.md and docs/: what a reader sees after `make demo`, taken in a real Chromium, never drawn.

`python -m fullscript_pipeline_tests.helpers.screenshots [DEMO]` (`make screenshots`) makes a demo in a folder of its
own, or takes the data directory of one, serves the UI over it, and writes docs/screenshots/*.png.
What does not belong here: any data of a real clinic.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from fullscript_pipeline.cli.subprocesses import run_child
from fullscript_pipeline.ui_access import make_code, read_key
from fullscript_pipeline_tests.helpers.browser import BROWSER, DRIVER, MISSING, Browser, browser
from fullscript_pipeline_tests.helpers.free_ports import free_port

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
WIDTH, HEIGHT = 1200, 750
_RUN = [sys.executable, "-m", "fullscript_pipeline"]


def main() -> None:
    """Writes every picture."""
    if BROWSER is None or DRIVER is None:
        sys.exit(MISSING)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(sys.argv[1] if len(sys.argv) > 1 else f"{folder}/data")
        environment = {**os.environ, "FULLSCRIPT_DATA_DIR": str(data)}
        if not data.exists():
            subprocess.run([*_RUN, "demo"], env=environment, check=True)
        url = f"http://127.0.0.1:{(port := free_port())}"
        with (
            (Path(folder) / "ui.log").open("w") as log,
            run_child([*_RUN, "ui", "--port", str(port)], environment, stdout=log, stderr=log),
            browser(Path(folder) / "profile", WIDTH, HEIGHT) as window,
        ):
            _pages(window, data / "reports")
            _wait_until_up(url)
            window.open(f"{url}/?code={make_code(read_key(data / 'ui.key'))}")
            _ui(window, url)
            _portal(window, data / "demo.env")


def _pages(window: Browser, reports: Path) -> None:
    clinic = next(iter(sorted(reports.glob("clinics/maple*"))))
    busiest = max(clinic.glob("patients/*.html"), key=lambda page: page.stat().st_size)
    digest = max(reports.glob("catalog/us/2*.html"), key=lambda page: page.name)
    for name, page in (("clinic", clinic / "index.html"), ("patient", busiest), ("digest", digest)):
        window.open(page.resolve().as_uri())
        window.picture(FOLDER / f"{name}.png")


def _ui(window: Browser, url: str) -> None:
    for name, path, words in (
        ("lineage", "/asset-groups", ("adherence", "operations", "reports")),
        ("asset", "/assets/core/orders", ("GET /clinic/orders", "Columns", "rows_read")),
        ("partitions", "/assets/core/orders?view=partitions", ("latest materialization", "maple-street")),
        ("checks", "/assets/core/treatment_plans?view=checks", ("keys_are_unique",)),
        ("runs", "/runs", ("clinic_daily",)),
    ):
        window.open(url + path)
        window.wait_for(*words)
        _wait_until_unchanged(window.text)
        window.picture(FOLDER / f"ui-{name}.png")


def _portal(window: Browser, variables: Path) -> None:
    """As a practitioner: the button, the sandbox's sign-in page, the list of whom to contact."""
    pairs = (line.partition("=") for line in variables.read_text().splitlines())
    window.open(next(text.strip("'") for name, _, text in pairs if name == "FULLSCRIPT_WEB_URL"))
    window.click("Sign in with Fullscript: United States")
    window.wait_for("who authorizes it")
    window.click("Authorize as the owner")
    window.wait_for("whom to contact")
    window.picture(FOLDER / "portal.png")


def _wait_until_unchanged(text: Callable[[], str]) -> None:
    """Until the page has not changed for a second."""
    before, still = "", 0
    deadline = time.monotonic() + 20
    while still < 3 and time.monotonic() < deadline:
        time.sleep(0.5)
        now = text()
        still = still + 1 if now == before else 0
        before = now


def _wait_until_up(url: str) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/server_info", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    sys.exit("The UI did not come up within 240 s.")


if __name__ == "__main__":
    main()
