"""Draws the timeline of a patient page: inline SVG, a lane per product, readable in grayscale and without JavaScript.

Filled = covered by orders, open = gap, hatched = cannot measure, diamond = order, triangle = plan change. What is
filled is as many days as are covered: a crowded lane is drawn in blocks, each filled to its share. All bars of a kind
in a lane are one path, so that a crowded page stays small. Colours come from the page's style sheet (classes c, g, u,
o, p). What does not belong here: the words for a status (status_texts.py), the axis (chart_axis.py), reading dates
(page_queries.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from markupsafe import Markup, escape

from fullscript_pipeline.reports import chart_axis, formatting
from fullscript_pipeline.reports.chart_axis import AXIS, WIDTH, Scale
from fullscript_pipeline.reports.language import PageLanguage

LANE = 34
# A lane with a plan change has a line of words under its bar.
LABELLED_LANE = 46
BAR = 12
BAR_TOP = 17
_LETTER = 5.6


class SupplySpan(NamedTuple):
    """The days [start, end) of one kind: `covered`, `gap` or `unmeasurable`."""

    kind: str
    start: date
    end: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A plan change on a day, and its words."""

    on: date
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductLane:
    """The lane of a product: its label, spans, days of orders and changes, in any order."""

    label: str
    spans: Sequence[SupplySpan] = ()
    orders: Sequence[date] = ()
    changes: Sequence[Change] = ()

    @property
    def height(self) -> int:
        """Room for the label, the bar, and the words of its changes."""
        return LABELLED_LANE if self.changes else LANE


@dataclass(slots=True, kw_only=True)
class _Drawing:
    """The path data of one lane, by class."""

    paths: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def bar(self, kind: str, left: float, right: float, height: float = BAR) -> None:
        """A bar from `left` to `right`, on the base line of the lane."""
        top = round(BAR_TOP + BAR - height, 2)
        self.paths[kind].append(f"M{left:g} {top:g}H{right:g}v{height:g}H{left:g}z")

    def diamond(self, x: float) -> None:
        """An order."""
        self.paths["o"].append(f"M{x:g} {BAR_TOP - 1}l5 7-5 7-5-7z")

    def triangle(self, x: float) -> None:
        """A plan change."""
        self.paths["p"].append(f"M{x:g} {BAR_TOP + BAR - 3}l5 8h-10z")

    def svg(self, kinds: Iterable[str]) -> str:
        """A path element per class, in the given order. Later ones are drawn on top."""
        paths = [(kind, "".join(self.paths[kind])) for kind in kinds if kind in self.paths]
        return "".join(f'<path class="{kind}" d="{path_data}"/>' for kind, path_data in paths)


_CLASS = {"covered": "c", "gap": "g", "unmeasurable": "u"}
_ORDER = ("g", "u", "c")  # covered last: in crowded lanes it is drawn over the open block


def scale_of(lanes: Iterable[ProductLane], start: date, end: date) -> Scale:
    """The axis for [start, end), extended to include earlier spans and marks (supply bought before the plan)."""
    for lane in lanes:
        days = [*(span.start for span in lane.spans), *lane.orders, *(change.on for change in lane.changes)]
        start = min([start, *days])
    return Scale(start=start, end=max(end, start + timedelta(days=1)))


def timeline(
    lanes: Sequence[ProductLane], start: date, end: date, language: PageLanguage, *, most_marks: int = 60
) -> Markup:
    """The drawing for the window [start, end), whose last day has a line.

    With more than `most_marks` marks, crowded lanes are drawn in blocks whose height is the share of days covered.
    """
    scale = scale_of(lanes, start, end)
    ground = AXIS + sum(lane.height for lane in lanes) + 4
    crowded = sum(_marks(lane) for lane in lanes) > most_marks
    allowance = max(6, most_marks // max(1, len(lanes))) if crowded else most_marks
    title = language.gettext("Supply over time, %(window)s", window=formatting.window(language, scale.start, scale.end))
    parts = [
        f'<svg viewBox="-8 0 {WIDTH + 16} {ground + (30 if crowded else 16)}" role="img" aria-labelledby="tl-t tl-d">'
        f'<title id="tl-t">{escape(title)}</title>',
        f'<desc id="tl-d">{_description(lanes, language)}</desc>',
        '<defs><pattern id="h" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<path class="hl" d="M0 0v6"/></pattern></defs>',
        chart_axis.axis(scale, ground, language),
    ]
    top = AXIS
    for lane in lanes:
        parts.append(f'<g transform="translate(0 {top})">{_lane(lane, scale, allowance, language)}</g>')
        top += lane.height
    parts.append(chart_axis.day_line(end - timedelta(days=1), scale, ground, language))
    if crowded:
        words = language.gettext("* crowded: drawn in blocks, the height is the share of days covered")
        parts.append(f'<text class="ax" y="{ground + 26}">{escape(words)}</text>')
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 -- every text in it is escaped


def _marks(lane: ProductLane) -> int:
    return len(lane.spans) + len(lane.orders) + len(lane.changes)


def _description(lanes: Sequence[ProductLane], language: PageLanguage) -> Markup:
    said = [_label(lane, language, formatting.shorten(lane.label, 40)) for lane in lanes[:12]]
    if len(lanes) > 12:
        said.append(language.gettext("and %(num)s more", num=len(lanes) - 12))
    return _plain(language.gettext("%(lanes)s. The table above carries the same facts.", lanes="; ".join(said)))


def _label(lane: ProductLane, language: PageLanguage, name: str) -> str:
    return language.ngettext("%(name)s: %(num)s order", "%(name)s: %(num)s orders", len(lane.orders), name=name)


def _plain(free: str) -> Markup:
    """Cleans and escapes free text for the drawing. The template does not clean values that are already Markup."""
    return escape(formatting.clean(free))


def _lane(lane: ProductLane, scale: Scale, allowance: int, language: PageLanguage) -> str:
    drawing = _Drawing()
    is_crowded = _marks(lane) > allowance
    if is_crowded:
        _draw_blocks(drawing, lane.spans, scale, allowance)
    else:
        for span in lane.spans:
            drawing.bar(_CLASS.get(span.kind, "u"), scale.x_of(span.start), scale.x_of(span.end))
    orders = [scale.x_of(day) for day in sorted(lane.orders)]
    for x in _thin_out(orders, max(12.0, WIDTH / (2 * allowance))) if is_crowded else orders:
        drawing.diamond(x)
    changes = [(scale.x_of(change.on), change.label) for change in sorted(lane.changes, key=lambda change: change.on)]
    for x in _thin_out([x for x, _ in changes], 12.0) if is_crowded else [x for x, _ in changes]:
        drawing.triangle(x)
    label = _plain(_label(lane, language, formatting.shorten(lane.label, 60)) + (" *" if is_crowded else ""))
    return f'<text y="12">{label}</text>{drawing.svg((*_ORDER, "o", "p"))}{_change_labels(changes)}'


def _change_labels(changes: Sequence[tuple[float, str]]) -> str:
    """The words under the triangles. One that would lie over the one before it is left out."""
    drawn, free_from = [], 0.0
    for x, label in changes:
        width = len(label) * _LETTER
        left = min(max(x - width / 2, free_from), WIDTH - width)
        if left >= free_from:
            drawn.append(f'<text class="ax" x="{left:.1f}" y="{BAR_TOP + BAR + 15}">{_plain(label)}</text>')
            free_from = left + width + 8
    return "".join(drawn)


def _draw_blocks(drawing: _Drawing, spans: Sequence[SupplySpan], scale: Scale, allowance: int) -> None:
    """Draws a bar per month, or per longer block if few are allowed, from the lane's first day to its last.

    Days after the drawing's end are left out. The height is the share of the block's days that are covered.
    """
    numbered = [
        (_CLASS.get(span.kind, "u"), scale.day_number(span.start), min(scale.day_number(span.end), scale.days))
        for span in spans
        if span.start < scale.end
    ]
    first = min((start for _, start, _ in numbered), default=0)
    length = max((end for _, _, end in numbered), default=0) - first
    width = max(30, length // min(24, allowance) + 1)
    edges = [scale.x_of_number(first + min(day, length)) for day in range(0, length + width, width)]
    days = _days_by_block(numbered, first, length, width)
    bars: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in _ORDER}
    for place, (gap, unmeasurable, covered) in enumerate(zip(days["g"], days["u"], days["c"], strict=True)):
        left, right = edges[place], edges[place + 1]
        if gap or unmeasurable:
            bars["g" if gap else "u"].append((left, right, BAR))
        if covered:
            share = min(1.0, covered / min(width, length - place * width))
            bars["c"].append((left, right, round(BAR * share, 2)))
    for kind, of_kind in bars.items():
        for left, right, height in _joined(of_kind):
            drawing.bar(kind, left, right, height)


def _joined(bars: Iterable[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Joins neighbouring bars of the same height."""
    joined: list[tuple[float, float, float]] = []
    for left, right, height in bars:
        if joined and joined[-1][1] == left and joined[-1][2] == height:
            left = joined.pop()[0]  # noqa: PLW2901 -- the bar grows to the left
        joined.append((left, right, height))
    return joined


def _days_by_block(spans: Iterable[tuple[str, int, int]], first: int, length: int, width: int) -> dict[str, list[int]]:
    """By class, how many days lie in each block of `width` days, from day number `first` on for `length` days."""
    days = {kind: [0] * -(-length // width) for kind in _ORDER}
    for kind, start, end in spans:
        of_kind = days[kind]
        for place in range((start - first) // width, -((first - end) // width)):
            left = first + place * width
            of_kind[place] += min(end, left + width) - max(start, left)
    return days


def _thin_out(places: Sequence[float], apart: float) -> list[float]:
    """Leaves out marks that would lie over the mark before them; the lane's label says how many orders there are."""
    drawn: list[float] = []
    for x in places:
        if not drawn or x - drawn[-1] >= apart:
            drawn.append(x)
    return drawn
