"""The sentences of the call list: how long somebody waits, and the one next step, in plain words.

What does not belong here: who is on the list (`call_list`).
"""

from datetime import timedelta

from fullscript_pipeline.catalog import Shortage
from fullscript_pipeline.reports.clinic_pages.clinic_queries import ProductRow
from fullscript_pipeline.reports.language import PageLanguage, translatable
from fullscript_pipeline.reports.page_queries import LabRow

_LAB_STEPS = {
    "interpretation_ready": translatable("Share the interpretation"),
    "results_amended": translatable("Look at the amended results"),
    "results_ready": translatable("Look at the results"),
    "partial_results": translatable("Look at the results that are ready"),
    "schedule_appointment": translatable("Ask whether the appointment is made"),
    "not_purchased": translatable("Ask whether the test is still wanted"),
    "recommended": translatable("Ask whether the test is still wanted"),
}
# Without and with the day.
_SHORTAGES = {
    "out": (translatable("Out of stock"), translatable("Out of stock since %(day)s")),
    "discontinued": (translatable("Discontinued"), translatable("Discontinued since %(day)s")),
    "gone": (translatable("Gone from the catalog"), translatable("Gone from the catalog since %(day)s")),
}
LAB_STATES_TO_ACT_ON = tuple(_LAB_STEPS)


def days_text(verdict: str, days: int, language: PageLanguage) -> str:
    """How long, in words: since the supply ran out, or since the product was recommended."""
    if verdict == "never":
        return language.ngettext("Not ordered for %(num)s day", "Not ordered for %(num)s days", days)
    return language.ngettext("%(num)s day late", "%(num)s days late", days)


def next_step(verdict: str, row: ProductRow, language: PageLanguage) -> str:
    """One sentence: what to ask, and the day that it rests on."""
    if verdict == "never":
        return _step_for_not_ordered(row, language)
    if row.run_out_on is None:
        return language.gettext("Ask whether they still take it.")
    ended = language.day(row.run_out_on - timedelta(days=1))
    if verdict == "long":
        return language.gettext("Ask whether they still take it; the last pack ended %(day)s.", day=ended)
    if verdict == "late":
        return language.gettext("Ask whether they want a refill; the last pack ended %(day)s.", day=ended)
    return language.gettext("Mention the refill; the last pack ended %(day)s.", day=ended)


def shortage_text(shortage: Shortage, language: PageLanguage) -> str:
    """Why a product cannot be had, and since when that is known."""
    without_day, with_day = _SHORTAGES[shortage.reason]
    if shortage.since is None:
        return language.gettext(without_day)
    return language.gettext(with_day, day=language.day(shortage.since))


def step_without_stock(shortage: Shortage, language: PageLanguage) -> str:
    """The one next step for a product that cannot be had."""
    reason = shortage_text(shortage, language)
    if shortage.reason == "out":
        return language.gettext("%(reason)s: agree to wait, or choose another.", reason=reason)
    return language.gettext("%(reason)s: choose another.", reason=reason)


def _step_for_not_ordered(row: ProductRow, language: PageLanguage) -> str:
    began = row.plan_started_on or row.window_start
    if began is None:
        return language.gettext("Ask whether they still want it.")
    if row.last_order_on is not None:
        return language.gettext(
            "Ask whether they still want it; recommended %(day)s, last ordered %(before)s, before this plan.",
            day=language.day(began),
            before=language.day(row.last_order_on),
        )
    return language.gettext(
        "Ask whether they still want it; recommended %(day)s, not ordered since.", day=language.day(began)
    )


def lab_step(lab: LabRow, language: PageLanguage) -> str:
    """What to do about a lab order."""
    return language.gettext(_LAB_STEPS[lab.state or ""])


def lab_since(lab: LabRow, language: PageLanguage) -> str:
    """Since when, or that nobody knows more than that it was so at the first pull."""
    if lab.since is None:
        return language.gettext("since an unknown day")
    if lab.is_since_first_pull:
        return language.gettext("known since the first pull, %(day)s", day=language.day(lab.since))
    return language.gettext("since %(day)s", day=language.day(lab.since))
