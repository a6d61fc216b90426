"""Maps a status of the mart to the words, icon, colour and next action that a clinician reads (method section 11).

The words are about supply, never about the person: no grade, no blame. What does not belong here: figures
(formatting.py) and the order of blocks on a page.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from fullscript_pipeline.reports.language import PageLanguage, translatable, translatable_plural
from fullscript_pipeline.reports.thresholds import ReportPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The words of a row.

    `key`: its CSS class and anchor. `rank`: its place in the call list, 0 is the most urgent. `sentences`: those of
    the answer line, for one product and for several.
    """

    key: str
    rank: int
    words: str
    icon: str
    colour: str
    action: str
    sentences: tuple[str, str]


# Contrast on white, measured (WCAG 2.2 relative luminance): blue 6.57, slate 9.38, amber 5.02, red 6.47, grey 4.83.
BLUE, SLATE, AMBER, RED, DARK, GREY = "#0B5FA5", "#36485C", "#B45309", "#B91C1C", "#374151", "#6B7280"

# The same on the dark page (#111827): 9.0, 11.6, 10.7, 9.3, 12.0, 7.0.
ON_DARK = {
    BLUE: "#7CC0FF", SLATE: "#C7D2E0", AMBER: "#FBBF24", RED: "#FCA5A5", DARK: "#D1D5DB", GREY: "#9CA3AF",
}  # fmt: skip

_NONE = translatable("Nothing to do")
_LOOKS_ON_TRACK = translatable_plural(
    "%(num)s of %(total)s products looks on track.", "%(num)s of %(total)s products look on track."
)
_ORDERED = (
    ("long", translatable("Long gap"), "▲▲", RED, translatable("Ask if still taken"),
     translatable_plural("%(num)s product has a long gap.", "%(num)s products have a long gap.")),
    ("late", translatable("Late"), "▲", AMBER, translatable("Ask about a refill"),
     translatable_plural("%(num)s product looks late.", "%(num)s products look late.")),
    ("ranout", translatable("Just ran out"), "△", AMBER, translatable("Mention the refill"),
     translatable_plural("%(num)s product just ran out.", "%(num)s products just ran out.")),
    ("never", translatable("Recommended, not ordered"), "○", DARK, translatable("Ask if wanted"),
     translatable_plural("%(num)s product is not ordered yet.", "%(num)s products are not ordered yet.")),
    ("new", translatable("New, not ordered yet"), "◌", DARK, translatable("Wait"),
     translatable_plural("%(num)s product is new.", "%(num)s products are new.")),
    ("due", translatable("Due soon"), "◐", SLATE, translatable("Mention the refill"),
     translatable_plural("%(num)s product is due soon.", "%(num)s products are due soon.")),
    ("depends", translatable("Depends on the dose taken"), "≈", SLATE, translatable("Ask which dose is taken"),
     translatable_plural("%(num)s product depends on the dose taken.", "%(num)s products depend on the dose taken.")),
    ("partly", translatable("Course partly supplied"), "◑", SLATE, translatable("Ask how the course ended"),
     translatable_plural("%(num)s product is a course partly supplied.",
                         "%(num)s products are courses partly supplied.")),
    ("track", translatable("On track"), "✓", BLUE, _NONE,
     translatable_plural("%(num)s product looks on track.", "%(num)s products look on track.")),
    ("course", translatable("Course supplied"), "✓", BLUE, _NONE,
     translatable_plural("%(num)s product is a course supplied.", "%(num)s products are courses supplied.")),
    ("supplied", translatable("Supplied as recommended"), "✓", BLUE, _NONE,
     translatable_plural("%(num)s product was supplied as recommended.",
                         "%(num)s products were supplied as recommended.")),
    ("needed", translatable("As needed"), "◇", DARK, _NONE,
     translatable_plural("%(num)s product is taken as needed.", "%(num)s products are taken as needed.")),
    ("needednew", translatable("As needed, not ordered yet"), "◇", DARK, _NONE,
     translatable_plural("%(num)s product to take as needed is not ordered yet.",
                         "%(num)s products to take as needed are not ordered yet.")),
    ("unread", translatable("Course length not read"), "?", DARK, translatable("Ask directly"),
     translatable_plural("%(num)s product is a course whose length could not be read.",
                         "%(num)s products are courses whose length could not be read.")),
    ("unknown", translatable("Cannot measure"), "", GREY, translatable("Ask directly"),
     translatable_plural("%(num)s product cannot be measured.", "%(num)s products cannot be measured.")),
    ("future", translatable("Not started"), "▷", DARK, translatable("Wait"),
     translatable_plural("%(num)s product has not started.", "%(num)s products have not started.")),
    ("stopped", translatable("Stopped"), "■", DARK, _NONE,
     translatable_plural("%(num)s product is stopped.", "%(num)s products are stopped.")),
)  # fmt: skip
VERDICTS = {
    key: Verdict(key=key, rank=rank, words=words, icon=icon, colour=colour, action=action, sentences=sentences)
    for rank, (key, words, icon, colour, action, sentences) in enumerate(_ORDERED)
}

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
    "as_needed": "needed",
    "as_needed_not_ordered": "needednew",
    "course_length_unread": "unread",
}

# Why a row cannot be measured, by the mart's word for it.
REASONS = {
    "prn": translatable("it is taken as needed, so there is no daily amount"),
    "unparsable_dosage": translatable("the dosage text gives no clear daily amount"),
    "missing_units": translatable("the number of units in the pack is not known"),
    "unit_mismatch": translatable("the pack and the dosage use units that cannot be converted"),
    "open_range": translatable("the dosage gives only one limit"),
    "out_of_bounds": translatable("a quantity or dose is too large to compute with"),
    "unknown_plan_state": translatable("the state of the plan is not one this program knows"),
    "undated_order": translatable("an order of it has no date"),
    "refill_unread": translatable("it could not be read whether more than what was bought is wanted"),
    "ordered_by_another": translatable("an order of another person names this plan"),
    "course_length_unread": translatable("the length of the course could not be read"),
    "unknown": translatable("the plan or the orders do not say enough"),
}

FLAGS = {
    "implausible_supply": translatable(
        "one pack would last under 3 days or over 2 years at this dose: check the dosage text"
    ),
    "short_window": translatable("the window is short: read the share with care"),
    "overlapping_plans": translatable("another active plan recommends the same product; supply is counted once"),
    "several_lines": translatable("the plan has several lines for this product; their doses are added"),
    "conflicting_text": translatable(
        "the additional information names another dose than the figures use: read it beside them"
    ),
    "invalid_quantity": translatable("an order line without a usable quantity is not counted"),
    "duration_unparsed": translatable("the duration text could not be read; the plan is treated as open-ended"),
    "out_of_bounds": translatable("a quantity or dose is too large to compute with"),
    "implausible_date": translatable(
        "a date of the plan is one that nobody can mean, or cannot be read: the next known one counts"
    ),
    "refill_unread": translatable(
        "whether it is to be refilled, or how many packs are to be bought, could not be read"
    ),
    "undated_order": translatable(
        "an order of this product has no date: it is not counted, so the real supply may be larger"
    ),
    "ordered_by_guardian": translatable("bought on the account of the person the patient depends on; counted here"),
    "shared_order": translatable(
        "an order names plans of several people: it may be this patient's, so the figures go from none of it to all"
    ),
    "ordered_by_another": translatable("somebody else's order names this plan; it is not counted"),
    "unknown_order_state": translatable("an order is in a state this program does not know; it is counted"),
    "assumed_unit": translatable("the dosage names no unit; the pack's own unit is assumed"),
    "plan_vanished": translatable(
        "the plan is no longer listed by Fullscript; it counts as stopped from the day it was missed"
    ),
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


def describe_products(verdicts: Iterable[Verdict], language: PageLanguage) -> str:
    """The answer line of a patient's page: `3 of 5 products look on track. 1 product looks late.`"""
    numbers = Counter(verdict.key for verdict in verdicts)
    total = numbers.total()
    sentences = []
    for key in sorted(numbers, key=lambda key: (key != "track", VERDICTS[key].rank)):
        forms = _LOOKS_ON_TRACK if key == "track" and total > 1 else VERDICTS[key].sentences
        sentences.append(language.ngettext(*forms, numbers[key], total=language.number(total)))
    return " ".join(sentences)
