"""axe-core (rules of WCAG 2.2 AA) over a page in a real Chromium, and what axe leaves to a person to judge.

axe-core comes with the environment (requirements-axe.lock); AXE_CORE_JS names another axe.min.js. axe cannot judge the
contrast of words in a drawing: `words_in_drawings` does. What does not belong here: which pages are checked.
"""

import os
import time
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fullscript_pipeline_tests.helpers.browser import Browser

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """
document.querySelectorAll("details").forEach(part => { part.open = true });
axe.run({runOnly: arguments[0], preload: false}).then(found => { window.found = found })
"""
_FOUND = """
const nodes = (result, of) => result.nodes.map(of);
return window.found && {
  violations: found.violations.map(result => [result.id, nodes(result, node => node.html.slice(0, 120))]),
  in_doubt: found.incomplete.flatMap(result => nodes(result, node => [result.id, node.html.slice(0, 120),
    node.any.map(check => check.message).join(" ")]))
}
"""
# The colours of each word in a drawing and of what is behind it: the page, or a bar that it lies over.
_DRAWN = """
const luminance = colour => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
const ground = getComputedStyle(document.documentElement).backgroundColor;
return [...document.querySelectorAll("svg text")].map(word => {
  const box = word.getBBox(), places = [];
  for (let x = 0; x <= 10; x++) for (let y = 1; y <= 3; y++)
    places.push(new DOMPoint(box.x + box.width * x / 10, box.y + box.height * y / 4));
  const bars = [...word.parentNode.querySelectorAll(":scope > path.c, :scope > path.u, :scope > path.o")];
  return {
    text: word.textContent,
    contrast: contrast(getComputedStyle(word).fill, ground),
    over: bars.some(bar => places.some(place => bar.isPointInFill(place))),
  };
})
"""


@dataclass(frozen=True)
class Findings:
    """`violations`: rule and elements; `in_doubt`: rule, element and reason of what axe leaves to a person."""

    violations: list[Any]
    in_doubt: list[tuple[str, str, str]]


@cache
def _axe_source() -> str:
    # The package is only looked at: importing it would want Playwright.
    spec = find_spec("axe_playwright_python")
    folder = next(iter(spec.submodule_search_locations or ())) if spec else "axe_playwright_python"
    return Path(os.environ.get("AXE_CORE_JS") or Path(folder, "axe.min.js")).read_text(encoding="utf-8")


def check_page(window: Browser, page: Path, *, theme: str = "light", width: int = 1280) -> Findings:
    """What axe finds on the page, its folded parts opened. The page stays open."""
    window.use_width(width)
    window.use_theme(theme)
    window.open(page.resolve().as_uri())
    return check_open_page(window)


def check_open_page(window: Browser) -> Findings:
    """What axe finds on the page that is open, as it is shown."""
    window.run(f"{_axe_source()};window.axe = axe;{_RUN}", _RULES)
    deadline = time.monotonic() + 120
    while not (found := window.run(_FOUND)):
        assert time.monotonic() < deadline, "axe did not finish"
        time.sleep(0.05)
    return Findings(found["violations"], [(rule, element, why) for rule, element, why in found["in_doubt"]])


def words_in_drawings(window: Browser) -> list[dict[str, Any]]:
    """Each word in a drawing of the open page: its `text`, its `contrast`, and whether it lies `over` a bar."""
    return list(window.run(_DRAWN))
