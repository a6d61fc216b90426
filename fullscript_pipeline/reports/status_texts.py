"""Maps a status of the mart to the words, icon, colour and next action that a clinician reads (method section 11).

The words are about supply, never about the person: no grade, no blame. What does not belong here: figures
(formatting.py) and the order of blocks on a page.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from fullscript_pipeline.reports.thresholds import ReportPolicy


@dataclass(frozen=True, slots=True)
class Verdict:
    """The words of a row.

    `key`: its CSS class and anchor. `rank`: its place in the call list, 0 is the most urgent. `phrases`: its words in
    the answer line, for one product and for several.
    """

    key: str
    rank: int
    words: str
    icon: str
    colour: str
    action: str
    phrases: tuple[str, str]


# Contrast on white, measured (WCAG 2.2 relative luminance): blue 6.57, slate 9.38, amber 5.02, red 6.47, grey 4.83.
BLUE, SLATE, AMBER, RED, DARK, GREY = "#0B5FA5", "#36485C", "#B45309", "#B91C1C", "#374151", "#6B7280"

_NONE = "Nothing to do"
_ORDERED = (
    ("long", "Long gap", "▲▲", RED, "Ask if still taken", "has a long gap", "have a long gap"),
    ("late", "Late", "▲", AMBER, "Ask about a refill", "looks late", "look late"),
    ("ranout", "Just ran out", "△", AMBER, "Mention the refill", "just ran out", "just ran out"),
    ("never", "Recommended, not ordered", "○", DARK, "Ask if wanted", "is not ordered yet", "are not ordered yet"),
    ("new", "New, not ordered yet", "◌", DARK, "Wait", "is new", "are new"),
    ("due", "Due soon", "◐", SLATE, "Mention the refill", "is due soon", "are due soon"),
    ("depends", "Depends on the dose taken", "≈", SLATE, "Ask which dose is taken", "depends on the dose taken",
     "depend on the dose taken"),
    ("partly", "Course partly supplied", "◑", SLATE, "Ask how the course ended", "is a course partly supplied",
     "are courses partly supplied"),
    ("track", "On track", "✓", BLUE, _NONE, "looks on track", "look on track"),
    ("course", "Course supplied", "✓", BLUE, _NONE, "is a course supplied", "are courses supplied"),
    ("supplied", "Supplied as recommended", "✓", BLUE, _NONE, "was supplied as recommended",
     "were supplied as recommended"),
    ("unknown", "Cannot measure", "", GREY, "Ask directly", "cannot be measured", "cannot be measured"),
    ("future", "Not started", "▷", DARK, "Wait", "has not started", "have not started"),
    ("stopped", "Stopped", "■", DARK, _NONE, "is stopped", "are stopped"),
)  # fmt: skip
VERDICTS = {
    key: Verdict(key, rank, words, icon, colour, action, (one, many))
    for rank, (key, words, icon, colour, action, one, many) in enumerate(_ORDERED)
}

_SHORT = {"never": "not ordered", "new": "new", "unknown": "not measurable", "ranout": "just out"}

_BY_STATUS = {
    "never_ordered": "never",
    "awaiting_first_order": "new",
    "indeterminate": "depends",
    "course_completed": "course",
    "course_incomplete": "partly",
    "supplied_as_recommended": "supplied",
    "plan_cancelled": "stopped",
    "recommendation_removed": "stopped",
    "cancelled_before_order": "stopped",
    # Not a status of the mart: a row that could not be measured and has ended (sql/adherence.sql).
    "ended_unmeasured": "stopped",
    "not_started": "future",
}

# Why a row cannot be measured, if the mart gives no reason. Completes "could not measure because ...".
REASONS = {
    "prn": "it is taken as needed, so there is no daily amount",
    "unparsable_dosage": "the dosage text gives no clear daily amount",
    "missing_units": "the pack size is not known",
    "unit_mismatch": "the pack and the dosage use units that cannot be converted",
    "open_range": "the dosage gives only an upper limit",
    "out_of_bounds": "a quantity or dose is too large to compute with",
    "unknown_plan_state": "the state of the plan is not one this program knows",
}

FLAGS = {
    "implausible_supply": "one pack would last under 3 days or over 2 years at this dose: check the dosage text",
    "short_window": "the window is short: read the share with care",
    "overlapping_plans": "another active plan recommends the same product; supply is counted once",
    "several_lines": "the plan has several lines for this product; their doses are added",
    "conflicting_text": "the additional information names another dose than the figures use: read it beside them",
    "invalid_quantity": "an order line without a usable quantity is not counted",
    "duration_unparsed": "the duration text could not be read; the plan is treated as open-ended",
    "out_of_bounds": "a quantity or dose is too large to compute with",
    "implausible_date": "a date of the plan is one that nobody can mean, or cannot be read: the next known one counts",
    "refill_unread": "whether it is to be refilled, or how many packs are to be bought, could not be read",
    "undated_order": "an order of this product has no date: it is not counted, so the real supply may be larger",
    "plan_vanished": "the plan is no longer listed by Fullscript; it counts as stopped from the day it was missed",
}


def verdict(status: str, days_late: int | None, due_in_days: int | None, policy: ReportPolicy) -> Verdict:
    """The words for a row of the mart. An unknown status reads "Cannot measure"."""
    if status == "covered":
        soon = due_in_days is not None and due_in_days <= policy.due_soon_days
        return VERDICTS["due" if soon else "track"]
    if status == "out_of_supply":
        late = days_late or 0
        if late >= policy.long_gap_days:
            return VERDICTS["long"]
        return VERDICTS["late" if late >= policy.late_days else "ranout"]
    return VERDICTS[_BY_STATUS.get(status, "unknown")]


def describe_products(verdicts: Iterable[Verdict]) -> str:
    """The answer line of a patient's page: `3 of 5 products look on track. 1 looks late.`"""
    numbers = Counter(verdict.key for verdict in verdicts)
    total = numbers.total()
    order = sorted(numbers, key=lambda key: (key != "track", VERDICTS[key].rank))
    sentences = []
    for place, key in enumerate(order):
        amount = numbers[key]
        subject = str(amount)
        if place == 0:
            noun = "product" if total == 1 else "products"
            subject = f"{amount} of {total} {noun}" if total > 1 else f"1 {noun}"
        sentences.append(f"{subject} {VERDICTS[key].phrases[0 if amount == 1 else 1]}.")
    return " ".join(sentences)


def describe_patient(verdicts: Iterable[Verdict], kinds: int = 2) -> str:
    """The summary in the call list, the most urgent first: `1 late, 1 not ordered, 3 other`."""
    numbers = Counter(verdict.key for verdict in verdicts)
    order = sorted(numbers, key=lambda key: VERDICTS[key].rank)
    parts = [f"{numbers[key]} {_SHORT.get(key) or VERDICTS[key].words.lower()}" for key in order[:kinds]]
    if others := sum(numbers[key] for key in order[kinds:]):
        parts.append(f"{others} other")
    return ", ".join(parts)
