"""The thresholds of the adherence method as settings.

What does not belong here: what is done with them (`adherence`, `reports`).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, Field

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings.value_types import Switch, WholeNumber


def _parse_percent(text: str) -> Fraction:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 0
    if not 1 <= number <= 100:
        raise ValueError(f"is {text!r}; set a whole number from 1 to 100.")
    return Fraction(number, 100)


@dataclass(frozen=True, kw_only=True)
class AdherencePolicy:
    """The thresholds of the adherence method (docs/adherence-method.md), whole days; all are printed on the pages.

    `assume_pack_unit` is no threshold: a row that it concerns says so itself.

    `threshold` is the exact share of days covered that counts as adherent (PQA, CMS: 80 %).
    """

    threshold: Annotated[
        Fraction,
        BeforeValidator(_parse_percent),
        Field(
            alias="adherence_threshold_percent",
            description="pages say adherent from this percent of covered days on; a convention. It is printed on every "
            "page, and so are the next seven settings",
            json_schema_extra={"shown_default": "`80`"},
        ),
    ] = Fraction(4, 5)
    # A gap exactly this long does not end an episode (OMOP drug era, AdhereR compute.treatment.episodes).
    permissible_gap_days: Annotated[
        WholeNumber, Field(ge=0, le=3650, description="a longer gap ends an episode of supply")
    ] = 30
    # PQA primary medication non-adherence: not obtained within 30 days.
    never_ordered_days: Annotated[
        WholeNumber, Field(ge=1, le=3650, description='pages say "not ordered" from this age of a plan, in days')
    ] = 30
    # Orders carry only the day they were completed.
    delivery_lag_days: Annotated[
        WholeNumber, Field(ge=0, le=90, description="days from an order to the day its supply counts")
    ] = 0
    minimum_window_days: Annotated[
        WholeNumber, Field(ge=1, le=3650, description="a shorter window of days is flagged")
    ] = 30
    due_soon_days: Annotated[
        WholeNumber, Field(ge=0, le=365, description='days before the run-out date from which pages say "due soon"')
    ] = 7
    late_days: Annotated[
        WholeNumber, Field(ge=1, le=3650, description='days after the run-out date from which pages say "late"')
    ] = 7
    long_gap_days: Annotated[
        WholeNumber, Field(ge=1, le=3650, description='days after the run-out date from which pages say "long gap"')
    ] = 30
    assume_pack_unit: Annotated[
        Switch,
        Field(
            description="a dose that names no unit (`2`, once per day) counts capsules where the pack holds capsules; "
            "the page says so"
        ),
    ] = True


def check_policy(policy: AdherencePolicy) -> AdherencePolicy:
    """Return the policy. Raises ConfigurationError when it contradicts itself."""
    if policy.late_days > policy.long_gap_days:
        raise ConfigurationError(
            f"FULLSCRIPT_LATE_DAYS ({policy.late_days}) lies above FULLSCRIPT_LONG_GAP_DAYS "
            f"({policy.long_gap_days}); a supply is late before its gap is long."
        )
    return policy
