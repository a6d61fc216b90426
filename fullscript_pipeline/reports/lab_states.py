"""The words for the state of a lab order: recommended, bought, waiting, results ready. Never a result itself.

The states are those of the vendor's REST API; an unknown state is shown as it is. What does not belong here: reading
lab orders.
"""

from dataclasses import dataclass

from fullscript_pipeline.reports.language import PageLanguage, translatable
from fullscript_pipeline.reports.page_queries import LabRow

_WORDS: dict[str, tuple[int, str]] = {
    "interpretation_ready": (0, translatable("Results ready, interpretation not shared yet")),
    "results_amended": (1, translatable("Results amended")),
    "results_ready": (2, translatable("Results ready")),
    "partial_results": (3, translatable("Some results ready")),
    "not_purchased": (4, translatable("Recommended, not bought")),
    "recommended": (4, translatable("Panel of an active plan, not ordered")),
    "schedule_appointment": (5, translatable("Bought, appointment to be made")),
    "upcoming_appointment": (6, translatable("Appointment made")),
    "purchased": (7, translatable("Bought, waiting")),
    "processing": (8, translatable("Sample at the laboratory")),
    "interpretation_shared": (9, translatable("Interpretation shared")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabLine:
    """A line of the labs block: the panel, its state and since when."""

    name: str
    words: str


def lab_lines(rows: list[LabRow], language: PageLanguage) -> list[LabLine]:
    """The labs that need action first (results, then those that wait for the patient), newest first within a state."""
    ordered = sorted(rows, key=lambda row: _WORDS.get(row.state or "", (10, ""))[0])
    return [
        LabLine(name=row.name or language.gettext("Unnamed lab order"), words=_state_since(row, language))
        for row in ordered
    ]


def _state_since(lab: LabRow, language: PageLanguage) -> str:
    if lab.since is None:
        return words(lab, language)
    if lab.is_since_first_pull:
        return language.gettext(
            "%(state)s, known since the first pull, %(day)s", state=words(lab, language), day=language.day(lab.since)
        )
    return language.gettext("%(state)s, since %(day)s", state=words(lab, language), day=language.day(lab.since))


def words(lab: LabRow, language: PageLanguage) -> str:
    """The state in words."""
    known = _WORDS.get(lab.state or "")
    if known:
        return language.gettext(known[1])
    raw = lab.state_raw or lab.state or language.gettext("none")
    return language.gettext("State as Fullscript gives it: %(state)s", state=raw)
