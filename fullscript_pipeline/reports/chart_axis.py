"""The axis of the timeline: the scale from days to the drawing's width, its ticks, and the line of the page's day.

What does not belong here: lanes (charts.py).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache

from markupsafe import escape

from fullscript_pipeline.reports.language import PageLanguage

WIDTH = 720
AXIS = 22


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Maps the days [start, end) to the width of the drawing."""

    start: date
    end: date

    @cached_property
    def days(self) -> int:
        """Length of the axis, at least one day."""
        return max(1, (self.end - self.start).days)

    def x_of(self, day: date) -> float:
        """The x coordinate of the start of `day`. Days outside are drawn at the edge."""
        return _x_of((day - self.start).days, self.days)

    def day_number(self, day: date) -> int:
        """How many days `day` is after the start."""
        return (day - self.start).days

    def x_of_number(self, number: int) -> float:
        """The x coordinate of the start of the day with that number."""
        return _x_of(number, self.days)


@lru_cache(maxsize=50_000)
def _x_of(number: int, days: int) -> float:
    return round(min(max(number / days, 0.0), 1.0) * WIDTH, 2)


@lru_cache(maxsize=1000)
def axis(scale: Scale, ground: int, language: PageLanguage) -> str:
    """The ticks as lines down to `ground`, with their words on top."""
    lines, labels = [], []
    for tick, label in _ticks(scale, language):
        x = scale.x_of(tick)
        lines.append(f"M{x:g} {AXIS - 6}V{ground}")
        anchor = ' text-anchor="end"' if x > WIDTH - 40 else ""
        labels.append(f'<text class="ax" x="{x:g}" y="10"{anchor}>{escape(label)}</text>')
    return f'<path class="tick" d="{"".join(lines)}"/>{"".join(labels)}'


def day_line(day: date, scale: Scale, ground: int, language: PageLanguage) -> str:
    """The line of the page's day, named at its foot."""
    x = scale.x_of(day)
    anchor = "end" if x > WIDTH - 40 else "start" if x < 40 else "middle"
    return (
        f'<path class="now" d="M{x:g} {AXIS - 6}V{ground}"/>'
        f'<text class="ax" x="{x:g}" y="{ground + 12}" text-anchor="{anchor}">{escape(language.day(day))}</text>'
    )


def _ticks(scale: Scale, language: PageLanguage) -> list[tuple[date, str]]:
    """At most ten ticks: weeks on a short axis, otherwise months, quarters, years and longer."""
    if scale.days <= 70:
        step = 7 if scale.days <= 49 else 14
        days = [scale.start + timedelta(days=n) for n in range(0, scale.days, step)]
        return [(day, language.day_of_year(day)) for day in days]
    step = next((n for n in (1, 2, 3, 6, 12, 24, 60, 120, 600) if scale.days / (30.4 * n) <= 10), 1200)
    first = scale.start.year * 12 + scale.start.month - 1
    last = scale.end.year * 12 + scale.end.month - 1
    months = [divmod(n, 12) for n in range(first, last + 1) if n % step == 0]
    ticks = [date(year, month + 1, 1) for year, month in months if 1 <= year <= 9999]
    return [(day, language.month(day)) for day in ticks if scale.start <= day < scale.end]
