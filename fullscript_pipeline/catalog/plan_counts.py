"""How many active treatment plans a change touches, as whatever leaves a clinic says it: one rule for every format.

A count from 1 to 4 could identify a patient, so no file, page, feed or terminal says it. The pages of a clinic name its
patients instead; the warehouse has the exact counts. What does not belong here: counting (sql/context.sql).
"""

from collections.abc import Iterable
from decimal import Decimal

SMALL = 5
UNDER = f"under {SMALL}"


def is_hidden(plans: int) -> bool:
    """Whether the count is too small to be said."""
    return 0 < plans < SMALL


def shown_plans(plans: int) -> int | None:
    """The count as a number, for data; None where it is hidden."""
    return None if is_hidden(plans) else plans


def plans_text(plans: int) -> str:
    """The count as a word: `0`, `under 5`, `1204`."""
    return UNDER if is_hidden(plans) else f"{plans}"


def sum_over_plans(steps: Iterable[tuple[Decimal, int]]) -> Decimal:
    """The sum of differences, each times its count. A hidden count is left out: the sum would say it."""
    return sum((step * plans for step, plans in steps if not is_hidden(plans)), Decimal(0))
