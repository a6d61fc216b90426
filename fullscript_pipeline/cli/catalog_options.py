"""The option types of the catalog commands, and the days that a comparison is of.

What does not belong here: comparing (`catalog_comparison`), types that other commands share (`options`).
"""

import re
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

import click

from fullscript_pipeline.errors import UsageError

_DAYS_OF = {"d": 1, "w": 7, "m": 30, "y": 365}


class Percent(click.ParamType[Decimal]):
    """A share: `5`, `5%` or `2.5 %`."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            share = Decimal(str(value).strip().removesuffix("%").strip())
        except InvalidOperation:
            share = Decimal("NaN")
        if not share.is_finite() or share < 0:
            self.fail(f"{value!r} is not a share; write it like 5%", param, ctx)
        return share


class SpanType(click.ParamType[timedelta]):
    """A number of days, weeks, months of 30 days or years of 365 days: `30d`, `4w`, `6m`, `1y`."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        match = re.fullmatch(r"([1-9]\d{0,3})([dwmy])", str(value).strip().lower())
        if match is None:
            self.fail(f"{value!r} is not a span; write it like 30d, 4w, 6m or 1y", param, ctx)
        return timedelta(days=int(match[1]) * _DAYS_OF[match[2]])


class Month(click.ParamType[date]):
    """A month, YYYY-MM, as its first day."""

    name = "month"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return date.fromisoformat(f"{value}-01")
        except ValueError:
            return self.fail(f"{value!r} is not a month; write it like 2026-11", param, ctx)


def compared_days(
    first: date | None, last: date | None, *, since_first: bool, span: timedelta | None, today: date
) -> tuple[date | None, date]:
    """The two days to compare; None means the first observation. Raises UsageError unless one start is given."""
    if sum((first is not None, since_first, span is not None)) != 1:
        raise UsageError(
            "Give one beginning: FROM (and TO, default today), --since-first, or --last, like "
            "`fullscript-pipeline catalog diff --last 30d`."
        )
    return (today - span if span else first), last or today
