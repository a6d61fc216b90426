"""The same figures as AdhereR 0.8.1, the field's reference implementation, on 240 random histories.

adherer_measures.csv was made from adherer_events.csv by adherer.R with that package; the histories have carry-in, early
refills, gaps and doses that change with an order: in the first third never, in the second inside the window, in the
last before it too. AdhereR and this program count a fill on the window's end differently (the method
says so), so there is none.
"""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from fullscript_pipeline.adherence import measure

# What adherer.R measures: a year, 180 days into the histories.
START = date(2024, 1, 1) + timedelta(days=180)
END = START + timedelta(days=365)
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def both() -> pd.DataFrame:
    """A row per history, measure: AdhereR's value and ours; missing where it is not defined."""
    events = pd.read_csv(HERE / "adherer_events.csv")
    events["patient_id"] = events["world"] + " " + events["patient"]
    theirs = pd.read_csv(HERE / "adherer_measures.csv")
    theirs["patient_id"] = theirs["world"] + " " + theirs["patient"]
    doses = events[events["filled_on"] < END.isoformat()]
    recommendations = pd.DataFrame(
        {
            "patient_id": doses["patient_id"],
            "treatment_plan_id": "plan",
            "product_id": "product",
            "start": START,
            "end": END,
            "dose_from": doses["filled_on"],
            "units_per_day_min": doses["dose"],
            "units_per_day_max": doses["dose"],
        }
    )
    fills = events.assign(product_id="product", units=events["days"] * events["dose"])
    ours = measure(recommendations, fills, END).melt(
        id_vars="patient_id", value_vars=list(theirs["measure"].unique()), var_name="measure", value_name="ours"
    )
    return theirs.merge(ours, on=["patient_id", "measure"], how="outer", validate="one_to_one")


@pytest.mark.parametrize("name", ["pdc_min", "pdc_since_first_order", "cma5", "cma1", "cma2"])
def test_the_figure_is_adherers(both: pd.DataFrame, name: str) -> None:
    pairs = both[both["measure"] == name]
    assert len(pairs) == 240
    assert (pairs["value"].isna() == pairs["ours"].isna()).all()
    assert pairs["value"].notna().sum() > 140
    assert pairs["value"].nunique() > 80
    assert (pairs["value"] - pairs["ours"]).abs().max() < 1e-12
