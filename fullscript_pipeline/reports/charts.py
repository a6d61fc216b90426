"""Draws the timeline of a patient page: inline SVG, a lane per product, readable in grayscale and without JavaScript.

Filled = covered by orders, open = gap, hatched = cannot measure, diamond = order, triangle = plan change. All bars of a
kind in a lane are one path, so that a crowded page stays small. Colours come from the page's style sheet (classes
c, g, u, o, p). What does not belong here: the words for a status (status_texts.py) and reading the dates
(page_queries.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from markupsafe import Markup, escape

from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports import formatting

WIDTH = 720
AXIS = 22
LANE = 34
BAR = 12
BAR_TOP = 17


@dataclass(frozen=True, slots=True)
class SupplySpan:
    """The days [start, end) of one kind: `covered`, `gap` or `unmeasurable`."""

    kind: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Mark:
    """An `order` or a `plan_change` on a day."""

    kind: str
    on: date


@dataclass(frozen=True, slots=True)
class ProductLane:
    """The lane of a product: its label, spans and marks, in any order."""

    label: str
    spans: Sequence[SupplySpan] = ()
    marks: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps the days [start, end) to the width of the drawing."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """Length of the axis, at least one day."""
        return max(1, (self.end - self.start).days)

    def x_of(self, day: date) -> float:
        """The x coordinate of the start of `day`, with one decimal. Days outside are drawn at the edge."""
        return round(min(max((day - self.start).days / self.days, 0.0), 1.0) * WIDTH, 1)


@dataclass(slots=True)
class _Drawing:
    """The path data of one lane, by class."""

    paths: dict[str, list[str]] = field(default_factory=dict)

    def bar(self, kind: str, left: float, right: float, height: float = BAR) -> None:
        """A bar from `left` to `right`, on the base line of the lane."""
        top = BAR_TOP + BAR - height
        self._add(kind, f"M{left:g} {top:g}h{max(right - left, 0.5):.4g}v{height:g}H{left:g}z")

    def diamond(self, x: float) -> None:
        """An order."""
        self._add("o", f"M{x:g} {BAR_TOP - 1}l5 7-5 7-5-7z")

    def triangle(self, x: float) -> None:
        """A plan change."""
        self._add("p", f"M{x:g} {BAR_TOP + BAR - 3}l5 8h-10z")

    def svg(self, kinds: Iterable[str]) -> str:
        """A path element per class, in the given order. Later ones are drawn on top."""
        paths = [(kind, "".join(self.paths[kind])) for kind in kinds if kind in self.paths]
        return "".join(f'<path class="{kind}" d="{path_data}"/>' for kind, path_data in paths)

    def _add(self, kind: str, path_data: str) -> None:
        self.paths.setdefault(kind, []).append(path_data)


_CLASS = {"covered": "c", "gap": "g", "unmeasurable": "u"}
_ORDER = ("g", "u", "c")  # covered last: in crowded lanes it is drawn over the open block
_CROWDED = "* crowded: drawn in blocks, the height is the share of days covered"


def scale_of(lanes: Iterable[ProductLane], start: date, end: date) -> Scale:
    """The axis for [start, end), extended to include earlier spans and marks (supply bought before the plan)."""
    for lane in lanes:
        for span in lane.spans:
            start = min(start, span.start)
        for mark in lane.marks:
            start = min(start, mark.on)
    return Scale(start, max(end, start + timedelta(days=1)))


def timeline(lanes: Sequence[ProductLane], start: date, end: date, *, most_marks: int = 60) -> Markup:
    """The drawing for the window [start, end). The bars of lane n have the id `b<n>`, which `small_copy` refers to.

    With more than `most_marks` marks, crowded lanes are drawn in blocks whose height is the share of days covered.
    """
    scale = scale_of(lanes, start, end)
    ground = AXIS + LANE * len(lanes) + 4
    crowded = sum(len(lane.spans) + len(lane.marks) for lane in lanes) > most_marks
    allowance = max(6, most_marks // max(1, len(lanes))) if crowded else most_marks
    height = ground + (16 if crowded else 0)
    parts = [
        f'<svg viewBox="-8 0 {WIDTH + 16} {height}" role="img" aria-labelledby="tl-t tl-d">'
        f'<title id="tl-t">Supply over time, {escape(formatting.window(scale.start, scale.end))}</title>',
        f'<desc id="tl-d">{_description(lanes)}</desc>',
        '<defs><pattern id="h" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<path class="hl" d="M0 0v6"/></pattern></defs>',
        _axis(scale, ground),
    ]
    parts += [_lane(lane, number, scale, allowance) for number, lane in enumerate(lanes)]
    parts.append(f'<text class="ax" y="{ground + 12}">{_CROWDED}</text></svg>' if crowded else "</svg>")
    return Markup("".join(parts))  # noqa: S704 -- every text in it is escaped


def small_copy(number: int) -> Markup:
    """A small copy of the bars of lane `number`, for its table row. Screen readers skip it: the row says the same."""
    return Markup(  # noqa: S704 -- numbers only
        f'<svg class="mini" viewBox="0 {BAR_TOP - 1} {WIDTH} {BAR + 2}" preserveAspectRatio="none" aria-hidden="true">'
        f'<use href="#b{number:d}"/></svg>'
    )


def _description(lanes: Sequence[ProductLane]) -> str:
    said = []
    for lane in lanes[:12]:
        orders = sum(mark.kind == "order" for mark in lane.marks)
        gaps = sum(span.kind == "gap" for span in lane.spans)
        said.append(f"{formatting.shorten(lane.label, 40)}: {counted(orders, 'order')}, {counted(gaps, 'gap')}")
    more = f"; and {len(lanes) - 12} more" if len(lanes) > 12 else ""
    return str(_plain("; ".join(said) + more + ". The table above carries the same facts."))


def _plain(free: str) -> Markup:
    """Cleans and escapes free text for the drawing. The template does not clean values that are already Markup."""
    return escape(formatting.clean(free))


def _lane(lane: ProductLane, number: int, scale: Scale, allowance: int) -> str:
    drawing = _Drawing()
    marks = sorted(lane.marks, key=lambda mark: mark.on)
    aggregated = len(lane.spans) + len(marks) > allowance
    if aggregated:
        _bars_in_blocks(drawing, lane.spans, scale, allowance)
        marks = _thin_out_marks(marks, scale, allowance)
    else:
        for span in lane.spans:
            drawing.bar(_CLASS.get(span.kind, "u"), scale.x_of(span.start), scale.x_of(span.end))
    bars = drawing.svg(_ORDER)
    symbols = _Drawing()
    for mark in marks:
        (symbols.triangle if mark.kind == "plan_change" else symbols.diamond)(scale.x_of(mark.on))
    label = _plain(formatting.shorten(lane.label, 60) + (" *" if aggregated else ""))
    return (
        f'<g transform="translate(0 {AXIS + LANE * number})"><text y="12">{label}</text>'
        f'<g id="b{number}">{bars}</g>{symbols.svg("op")}</g>'
    )


def _bars_in_blocks(drawing: _Drawing, spans: Sequence[SupplySpan], scale: Scale, allowance: int) -> None:
    """Draws a bar per month, or per longer block if few are allowed. The height is the share of days covered."""
    width = max(30, scale.days // min(24, allowance) + 1)
    blocks: list[tuple[str, int, int, float]] = []
    for first in range(0, scale.days, width):
        block = (scale.start + timedelta(days=first), scale.start + timedelta(days=min(first + width, scale.days)))
        days = {kind: sum(_overlap(span, block) for span in spans if span.kind == kind) for kind in _CLASS}
        measurable = days["covered"] + days["gap"]
        heights = {"g": float(days["gap"] > 0), "c": days["covered"] / measurable if measurable else 0.0}
        heights["u"] = float(days["unmeasurable"] > 0 and not measurable)
        left, right = round(scale.x_of(block[0])), round(scale.x_of(block[1]))
        blocks += [(kind, left, right, round(BAR * height, 1)) for kind, height in heights.items() if height]
    for kind in _ORDER:
        for left, right, height in _joined([block[1:] for block in blocks if block[0] == kind]):
            drawing.bar(kind, left, right, height)


def _joined(bars: Iterable[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """Joins neighbouring bars of the same height."""
    joined: list[tuple[int, int, float]] = []
    for left, right, height in bars:
        if joined and joined[-1][1] == left and joined[-1][2] == height:
            left = joined.pop()[0]  # noqa: PLW2901 -- the bar grows to the left
        joined.append((left, right, height))
    return joined


def _overlap(span: SupplySpan, bucket: tuple[date, date]) -> int:
    return max(0, (min(span.end, bucket[1]) - max(span.start, bucket[0])).days)


def _thin_out_marks(marks: Sequence[Mark], scale: Scale, allowance: int) -> list[Mark]:
    """Leaves out marks that would overlap a mark of the same kind, or that are too many for the lane."""
    apart = max(12.0, WIDTH / (2 * allowance))
    drawn: list[Mark] = []
    last: dict[str, float] = {}
    for mark in marks:
        x = scale.x_of(mark.on)
        if x - last.get(mark.kind, -1000.0) >= apart:
            drawn.append(mark)
            last[mark.kind] = x
    return drawn


def _axis(scale: Scale, height: int) -> str:
    lines, labels = [], []
    for tick, label in _ticks(scale):
        x = scale.x_of(tick)
        lines.append(f"M{x:g} {AXIS - 6}V{height}")
        anchor = ' text-anchor="end"' if x > WIDTH - 40 else ""
        labels.append(f'<text class="ax" x="{x:g}" y="10"{anchor}>{label}</text>')
    return f'<path class="tick" d="{"".join(lines)}"/>{"".join(labels)}'


def _ticks(scale: Scale) -> list[tuple[date, str]]:
    """At most ten ticks: weeks on a short axis, otherwise months, quarters, years and longer."""
    if scale.days <= 70:
        step = 7 if scale.days <= 49 else 14
        days = [scale.start + timedelta(days=n) for n in range(0, scale.days, step)]
        return [(day, f"{day.day} {formatting.MONTHS[day.month - 1]}") for day in days]
    step = next((n for n in (1, 2, 3, 6, 12, 24, 60, 120, 600) if scale.days / (30.4 * n) <= 10), 1200)
    first = scale.start.year * 12 + scale.start.month - 1
    last = scale.end.year * 12 + scale.end.month - 1
    months = [divmod(n, 12) for n in range(first, last + 1) if n % step == 0]
    ticks = [
        (date(year, month + 1, 1), f"{formatting.MONTHS[month]} {year}") for year, month in months if 1 <= year <= 9999
    ]
    return [(day, label) for day, label in ticks if scale.start <= day < scale.end]
